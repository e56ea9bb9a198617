"""Rule: a few files are read before the first of them is judged, and their bytes are held no longer than that."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

from channeld.catalog.artifact import Artifact
from channeld.cold import reading
from channeld.cold.reading import ReadFiles
from channeld.cold.refusal import Refusal
from channeld.cold.scan import scan
from channeld.formats.archive.limits import Limits
from channeld.formats.names import Naming
from channeld.intake.inspection import inspect
from tests.support.folders import NOW, put, put_conda


def job(folder: Path) -> ReadFiles:
    files = scan(folder).subdirs["noarch"]
    return ReadFiles(str(folder / "noarch"), "noarch", tuple(files.items()), Naming.STRICT, Limits(), NOW)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done: "r" for a file that is read, "j" for one that is judged."""
    done: list[str] = []

    def noted(letter: str, function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            done.append(letter)
            return function(*args, **kwargs)

        return run

    monkeypatch.setattr(os, "read", noted("r", os.read))
    monkeypatch.setattr(reading, "inspect", noted("j", inspect))
    return done


def test_eight_files_are_read_before_they_are_judged(tmp_path: Path, steps: list[str]) -> None:
    for number in range(20):
        put_conda(tmp_path, f"package{number:02d}")
    assert len(list(job(tmp_path).read())) == 20
    assert "".join(steps) == "r" * 8 + "j" * 8 + "r" * 8 + "j" * 8 + "r" * 4 + "j" * 4


def test_large_ones_are_read_by_themselves(
    tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [put_conda(tmp_path, f"package{number}").stat().st_size for number in range(5)]
    monkeypatch.setattr(reading, "_TOGETHER_BYTES", 2 * max(sizes))
    assert len(list(job(tmp_path).read())) == 5
    assert "".join(steps) == "rrjjrrjjrj"
    steps.clear()
    monkeypatch.setattr(reading, "_TOGETHER_BYTES", 1)
    assert len(list(job(tmp_path).read())) == 5
    assert "".join(steps) == "rj" * 5


def test_each_is_told_of_under_its_own_name_whatever_became_of_the_others(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put(tmp_path, "broken-1.0-0.conda", b"no zip")
    put(tmp_path, "empty-1.0-0.conda", b"")
    put(tmp_path, "nameless.conda", b"no zip")
    put_conda(tmp_path, "omega")
    found = [one for one, kept in job(tmp_path).read() if not kept]
    assert [one.filename if isinstance(one, Artifact) else one.code for one in found] == [
        "alpha-1.0-0.conda",
        "not_a_zip",
        "empty_upload",
        "file_name_malformed",
        "omega-1.0-0.conda",
    ]


class Counted(bytes):
    """Bytes that tell when they go."""

    gone = 0

    def __del__(self) -> None:
        Counted.gone += 1


def test_nothing_holds_on_to_what_was_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        put_conda(tmp_path, f"package{number}")
    put(tmp_path, "broken-1.0-0.conda", b"no zip")
    read = os.read
    count = 0

    def counted(descriptor: int, size: int) -> Counted:
        nonlocal count
        count += 1
        grown = b"!" if count == 2 else b""
        return Counted(read(descriptor, size) + grown)

    monkeypatch.setattr(os, "read", counted)
    monkeypatch.setattr(Counted, "gone", 0)
    gc.disable()
    try:
        codes = [one.code for one, _ in job(tmp_path).read() if isinstance(one, Refusal)]
        assert (count, Counted.gone) == (4, 4)
    finally:
        gc.enable()
    assert codes == ["not_a_zip", "file_changing"]
