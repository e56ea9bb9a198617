"""The environment is pinned: what is not in constraints.txt would be another version tomorrow."""

from __future__ import annotations

import tomllib
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def requirements() -> list[Requirement]:
    tables = (
        PROJECT["build-system"]["requires"],
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
    )
    wanted = [Requirement(text) for table in tables for text in table]
    return [each for each in wanted if each.marker is None or each.marker.evaluate()]


def needed() -> set[str]:
    """Return the name of everything that the requirements bring with them, as installed here."""
    found: set[str] = set()
    waiting = [(each, extra) for each in requirements() for extra in ("", *each.extras)]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found.add(name)
        for text in distribution(name).requires or []:
            below = Requirement(text)
            if below.marker is None or below.marker.evaluate({"extra": extra}):
                waiting += [(below, each) for each in ("", *below.extras)]
    return found


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_a_pin_is_a_version_that_the_project_takes(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)], prereleases=True)


def test_everything_that_is_needed_is_pinned_and_nothing_else() -> None:
    # pip installs all of it; hatchling asks for editables only for an editable install, as the environment has.
    assert pins().keys() == needed() | {"pip", "editables"}


def test_what_is_installed_is_what_is_pinned() -> None:
    assert {name: distribution(name).version for name in pins()} == pins()
