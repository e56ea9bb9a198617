"""The documents that conda-index made of real packages, and the cases of its own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from channeld.formats.current import current_repodata, render_current
from channeld.formats.repodata import RepodataInfo
from tests.support.records import real_repodata, sections_of

FOLDERS = [
    "conformance/conda-index/tests/index_hotfix_pkgs/noarch",
    "conformance/conda-index/tests/index_hotfix_pkgs/osx-64",
    "fixtures/conda+conda/tests/data/conda_format_repo/noarch",
    "fixtures/conda+conda/tests/data/conda_format_repo/osx-64",
    "fixtures/conda+conda/tests/data/conda_format_repo/win-32",
    "fixtures/conda+conda/tests/data/conda_format_repo/win-64",
    "fixtures/conda+conda-libmamba-solver/tests/data/mamba_repo/noarch",
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_document_is_the_one_that_conda_index_wrote(test_data: Path, folder: str) -> None:
    repodata = real_repodata(test_data, f"{folder}/repodata.json")
    expected = real_repodata(test_data, f"{folder}/current_repodata.json")
    assert document(repodata) == expected


def test_real_packages_are_reduced_to_those_that_satisfy_each_other(test_data: Path) -> None:
    repodata = real_repodata(test_data, "conformance/conda-index/tests/index_data/time_cut/repodata.json")
    kept = document(repodata)
    assert set(kept["packages"]) == {
        "ancient-package-1.2.10-h7b6447c_3.tar.bz2",
        "depends-on-older-1.2.10-h7b6447c_3.tar.bz2",
        "two-because-satisfiability-1.2.10-h7b6447c_3.tar.bz2",
        "two-because-satisfiability-1.2.11-h7b6447c_3.tar.bz2",
    }
    assert set(kept["packages.conda"]) == {"one-gets-filtered-1.3.10-h7b6447c_3.conda"}


def test_real_packages_are_kept_by_pin(test_data: Path) -> None:
    repodata = real_repodata(test_data, "conformance/conda-index/tests/index_data/time_cut/repodata.json")
    kept = document(repodata, {"one-gets-filtered": ["1.2", "1.3"]})
    assert set(kept["packages.conda"]) == {
        "one-gets-filtered-1.2.11-h7b6447c_3.conda",
        "one-gets-filtered-1.3.10-h7b6447c_3.conda",
    }


# Counted by conda-index 0.13 with conda 26.7 on the same files.
@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("derived-from-lockfiles/conda-forge/linux-64", 1689),
        ("derived-from-lockfiles/conda-forge/noarch", 744),
        ("derived-from-lockfiles/robostack-jazzy/osx-arm64", 667),
        ("jaimergp+conda-subchannel-demo/linux-64", 223),
        ("jaimergp+conda-subchannel-demo/win-64", 233),
    ],
)
def test_as_much_of_conda_forge_is_kept_as_conda_index_keeps(
    test_data: Path, folder: str, count: int
) -> None:
    repodata = real_repodata(test_data, f"repodata/{folder}/repodata.json")
    kept = document(repodata)
    assert len(kept["packages"]) + len(kept["packages.conda"]) == count


def document(repodata: dict[str, Any], pins: dict[str, list[str]] | None = None) -> Any:
    sections = sections_of(repodata)
    kept = current_repodata({section: records.items() for section, records in sections.items()}, pins)
    info = RepodataInfo(repodata.get("info", {}).get("subdir", "linux-64"))
    return orjson.loads(render_current(info, sections, kept, repodata.get("removed", ())))
