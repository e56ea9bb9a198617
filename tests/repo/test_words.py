"""The project does not name the place it is made in: it works wherever it is cloned to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.project import ROOT, project_files


def texts() -> dict[Path, str]:
    """Return every file that is text, by its path in the project."""
    found = {}
    for path in project_files():
        try:
            found[path.relative_to(ROOT)] = path.read_text()
        except UnicodeDecodeError:
            continue
    return found


def lines_with(pattern: str) -> list[str]:
    return [
        f"{path}:{number}"
        for path, text in texts().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(pattern, line)
    ]


# Put together from pieces, so that this file is not the one that has them.
FOLDERS = [
    "/" + "work" + "/",
    "/" + "farm" + "/",
    "/" + "root" + "/",
    "/" + "home" + "/",
    "." + "library",
    "." + "mirror",
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_names_a_folder_of_the_machine_it_was_written_on(folder: str) -> None:
    assert lines_with(re.escape(folder)) == []


def test_the_data_of_the_tests_is_named_by_its_variable_only() -> None:
    beside = ".." + "/" + "shared"
    assert {each.rpartition(":")[0] for each in lines_with(re.escape(beside))} <= {".ci/run"}


def test_no_file_refers_to_an_issue_by_its_number() -> None:
    # Other projects' issues are facts about clients, and are written as owner/name#1.
    found = lines_with(r"(?i)(?:\b(?:issue|ticket|fixes|closes)\s+#?\d|(?:^|[\s(])#\d+\b)")
    assert [each for each in found if ".css:" not in each] == []  # there it is a colour


def test_only_text_is_in_the_project() -> None:
    assert [str(path.relative_to(ROOT)) for path in project_files() if b"\0" in path.read_bytes()] == []
