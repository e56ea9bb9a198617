"""What is accepted has one meaning: other readers find the same metadata in it, once.

A spoilt package that passes the checks is read with conda's reader (zipfile and tarfile), with libarchive (mamba's) and
with rattler's. Where one of them sees another index.json, or two, a client would too.
"""

from __future__ import annotations

import bz2
import contextlib
import io
import json
import random
import zipfile
from pathlib import Path

import libarchive
import pytest
from conda_package_streaming import package_streaming  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rattler import IndexJson

from channeld.errors import Rejected
from channeld.formats.archive.inspection import inspect_archive
from channeld.formats.names import FileName, Naming
from channeld.formats.record import ArtifactFacts, make_record
from tests.support.archives import CONDA, TAR_BZ2
from tests.support.mutations import LIMITS, spoil
from tests.support.packages import build_conda, build_tar_bz2
from tests.support.record_making import NOW

INDEX = "info/index.json"


def seen_by_conda(data: bytes, filename: str) -> list[bytes]:
    found = []
    for tar, member in package_streaming.stream_conda_info(filename, io.BytesIO(data)):
        if member.name.removeprefix("./") == INDEX:
            content = tar.extractfile(member)
            assert content is not None
            found.append(content.read())
    return found


def seen_by_libarchive(data: bytes, filename: str) -> list[bytes]:
    if filename.endswith(".conda"):
        archive = zipfile.ZipFile(io.BytesIO(data))
        data = archive.read(next(name for name in archive.namelist() if name.startswith("info-")))
    with libarchive.memory_reader(data, format_name="tar") as entries:
        # libarchive-c returns bytes, or None, for a path that is not in the locale's encoding.
        return [
            b"".join(entry.get_blocks())
            for entry in entries
            if isinstance(entry.pathname, str) and entry.pathname.removeprefix("./") == INDEX
        ]


def check_agreement(data: bytes, filename: str, folder: Path) -> None:
    name = FileName.parse(filename)
    try:
        found = inspect_archive(io.BytesIO(data), name, Naming.LEGACY, LIMITS)
    except Rejected:
        return
    index = found.info[INDEX]
    assert seen_by_conda(data, filename) == [index]
    with contextlib.suppress(TypeError):  # libarchive-c's own trouble with paths that are no UTF-8
        assert seen_by_libarchive(data, filename) == [index]
    try:
        make_record(found.index, ArtifactFacts(name, len(data), "0" * 64, "0" * 32), Naming.STRICT, NOW)
    except Rejected:
        return
    path = folder / filename
    path.write_bytes(data)
    theirs = IndexJson.from_package_archive(path)
    assert (theirs.name.source, str(theirs.version)) == (found.index["name"], found.index["version"])
    assert theirs.depends == found.index.get("depends", [])


@pytest.mark.parametrize(
    ("data", "filename"), [(build_conda("alpha"), CONDA), (build_tar_bz2("alpha"), TAR_BZ2)]
)
def test_they_agree_on_good_packages(data: bytes, filename: str, tmp_path: Path) -> None:
    assert json.loads(seen_by_conda(data, filename)[0])["name"] == "alpha"
    assert seen_by_conda(data, filename) == seen_by_libarchive(data, filename)
    check_agreement(data, filename, tmp_path)


@pytest.mark.filterwarnings("ignore:Pathname can't be converted")
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_they_agree_on_every_spoilt_package_that_is_accepted(tmp_path: Path, rng: random.Random) -> None:
    check_agreement(*spoil(rng), tmp_path)


def test_the_test_would_notice_two_meanings() -> None:
    # A second stream with another index.json: python reads on, others stop.
    twice = build_tar_bz2("alpha") + bz2.compress(b"x")
    assert bz2.decompress(twice) != bz2.decompress(build_tar_bz2("alpha"))
    with pytest.raises(Rejected):
        inspect_archive(io.BytesIO(twice), FileName.parse(TAR_BZ2))
