"""The documents say what is so: commands, files, settings and decisions that they name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channeld.settings.reference import describe
from tests.support.project import ROOT, project_files

DOCUMENTS = [path.relative_to(ROOT) for path in project_files("*.md")]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_make_command_is_a_target(document: Path) -> None:
    named = re.findall(r"(?:`|\$ )make ([a-z]+)", (ROOT / document).read_text())
    assert set(named) <= targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_within_the_project_leads_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not ((ROOT / document).parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_setting_that_is_named_exists(document: Path) -> None:
    docs = describe()
    sections = "|".join(sorted({doc.section for doc in docs}))
    text = (ROOT / document).read_text()
    assert set(re.findall(rf"`((?:{sections})\.[a-z_]+)`", text)) <= {doc.name for doc in docs}
    assert set(re.findall(r"CHANNELD_[A-Z]+__[A-Z_]+", text)) <= {doc.variable for doc in docs}


def test_every_command_is_explained_by_make_help() -> None:
    explained = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert explained == targets()


def test_decisions_are_numbered_in_order_and_have_their_parts() -> None:
    pages = sorted(path for path in (ROOT / "docs/decisions").glob("*.md") if path.name != "README.md")
    assert [page.name[:5] for page in pages] == [f"{number:04}-" for number in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text()
        assert re.match(rf"# {page.name[:4]}: \S", text), page.name
        assert re.search(r"^Status: (accepted|replaced by \[\d{4}\])", text, re.MULTILINE), page.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Options", "Outcome"], page.name
