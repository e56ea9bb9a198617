"""docs/settings.md is what ``channeld config docs`` prints, and what it shows works."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from channeld.cli.config import config, render_reference, render_settings
from channeld.settings import Settings, load
from channeld.settings.reference import SettingDoc, describe, sections
from tests.support.project import ROOT


def test_the_page_in_docs_is_up_to_date() -> None:
    assert (ROOT / "docs/settings.md").read_text() == render_reference(), "run: make docs"


def test_the_command_prints_the_page() -> None:
    result = CliRunner().invoke(config, ["docs"])
    assert (result.exit_code, result.output) == (0, render_reference())


@pytest.mark.parametrize("doc", describe(), ids=lambda doc: doc.name)
def test_a_key_has_an_entry_with_its_variable_and_a_text(doc: SettingDoc) -> None:
    page = render_reference()
    assert page.count(f"### {doc.name}\n") == 1
    assert page.count(f"- Environment: `{doc.variable}`\n") == 1
    assert doc.text.endswith(".")


def test_a_section_says_what_it_is_about() -> None:
    assert all(text.endswith(".") and "(" not in text.partition(" ")[0] for text in sections().values())


def test_show_prints_a_file_that_sets_the_same(tmp_path: Path) -> None:
    path = tmp_path / "channeld.toml"
    path.write_text(render_settings(Settings()))
    assert load(path, {}) == Settings()


def test_show_tells_what_is_changed_and_hides_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANNELD_SERVER__PORT", "9")
    monkeypatch.setenv("CHANNELD_STORAGE__DATABASE_URL", "postgresql://me:hunter2@db/x")
    result = CliRunner().invoke(config, ["show"])
    assert result.exit_code == 0
    assert "port = 9  # default: 8000\n" in result.output
    assert 'database_url = "postgresql://(hidden)@db/x"  # default: ""\n' in result.output
    assert "hunter2" not in result.output
    assert tomllib.loads(result.output)["server"]["port"] == 9


def test_show_reads_the_file_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "channeld.toml"
    path.write_text("[server]\nworkers = 3\n")
    result = CliRunner().invoke(config, ["show", "--config", str(path)])
    assert "workers = 3  # default: 1\n" in result.output
