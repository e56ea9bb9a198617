"""The wheel holds channeld and nothing else, and works without the source beside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import channeld
from tests.support.project import ROOT, project_files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as pip would, with the builder of the environment and without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f"channeld-{channeld.__version__}.dist-info/METADATA").decode())


def test_the_name_of_the_wheel_has_the_version_and_no_platform(wheel: Path) -> None:
    assert wheel.name == f"channeld-{channeld.__version__}-py3-none-any.whl"


def test_it_holds_the_package_only(names: set[str]) -> None:
    assert {name.partition("/")[0] for name in names} == {
        "channeld",
        f"channeld-{channeld.__version__}.dist-info",
    }


def test_it_holds_every_file_of_the_package(names: set[str]) -> None:
    assert {name for name in names if name.startswith("channeld/")} == {
        str(path.relative_to(ROOT)) for path in project_files("channeld/*")
    }


def test_its_types_are_for_others_too(names: set[str]) -> None:
    assert "channeld/py.typed" in names


def test_it_carries_its_licence(names: set[str], metadata: Message) -> None:
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert f"channeld-{channeld.__version__}.dist-info/licenses/LICENSE" in names


def test_its_metadata_are_those_of_the_project(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("channeld", channeld.__version__)
    assert metadata["Requires-Python"] == ">=3.11"


def test_it_can_be_imported_without_the_source(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-B", "-c", "import channeld; print(channeld.__file__, channeld.__version__)"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [str(tmp_path / "channeld/__init__.py"), channeld.__version__]
