"""The quick way through an info part takes what the thorough one takes, with the same contents, and nothing else."""

from __future__ import annotations

import io
import random
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.errors import Rejected
from channeld.formats.archive.info import _WANTED, _collect
from channeld.formats.archive.limits import Limits
from channeld.formats.archive.members import MemberRules
from channeld.formats.archive.tar import TarReader
from channeld.formats.archive.usualinfo import usual_files
from channeld.formats.names import Naming

LIMITS = Limits()
PATHS = [
    "info/index.json", "info/paths.json", "info/about.json", "info/recipe/meta.yaml", "info/licenses/LICENSE.txt",
    "info/.hidden", "info/git", "info/Index.JSON", "info/index.json.", "info/repodata_record.json", "./info/index.json",
    "info//index.json", "info/../index.json", "info/./a", "lib/a", "info", "INFO/index.json", "info/a b", "info/ä",
    "info/" + "d/" * 60 + "a", "info/" + "n" * 95, "info/" + "n" * 200, "info/a\\b", "conda-meta/history",
]  # fmt: skip


def thorough(content: bytes, naming: Naming, limits: Limits = LIMITS) -> dict[str, bytes] | None:
    """Read with the general reader; None when it refuses."""
    reader = TarReader(io.BytesIO(content), "info")
    try:
        return _collect(reader, MemberRules(limits, naming, info_only=True), limits)
    except Rejected:
        return None


def quick(content: bytes, limits: Limits = LIMITS) -> dict[str, bytes] | None:
    found = usual_files(content, _WANTED, limits)
    return None if found is None else {path.decode(): data for path, data in found.items()}


def tar(
    paths: list[str], tar_format: int, *, mtime: float = 1_700_000_000, kind: bytes = tarfile.REGTYPE
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as archive:
        for number, path in enumerate(paths):
            entry = tarfile.TarInfo(path)
            entry.type = kind if number == 1 else tarfile.REGTYPE
            entry.mtime = mtime
            data = f"{number} {path}".encode() * (1 + 40 * (number % 3)) if entry.isreg() else b""
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def check(content: bytes, limits: Limits = LIMITS) -> bool:
    """Compare the two ways; returns whether the quick one was taken."""
    found = quick(content, limits)
    if found is None:
        return False
    for naming in Naming:
        assert thorough(content, naming, limits) == found
    return True


USUAL = ["info/index.json", "info/paths.json", "info/licenses/LICENSE", "info/test/run_test.sh"]


@pytest.mark.parametrize("mtime", [1_700_000_000, 1_700_000_000.25])
@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_builders_write_goes_the_quick_way(tar_format: int, mtime: float) -> None:
    content = tar(USUAL, tar_format, mtime=mtime)
    assert check(content)
    assert list(quick(content) or ()) == ["info/index.json", "info/paths.json"]


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.sampled_from(PATHS), max_size=5),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.sampled_from([1_700_000_000, 1_700_000_000.25, 0]),
    st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]),
)
def test_no_path_and_no_kind_of_member_is_taken_that_the_thorough_way_refuses(
    paths: list[str], tar_format: int, mtime: float, kind: bytes
) -> None:
    try:
        content = tar(paths, tar_format, mtime=mtime, kind=kind)
    except ValueError:  # the format cannot say it
        return
    check(content)


@settings(deadline=None, max_examples=1500)
@given(st.randoms(use_true_random=False))
def test_a_tar_that_is_broken_anywhere_is_not_taken_unless_the_thorough_way_takes_it(
    rng: random.Random,
) -> None:
    formats = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
    content = bytearray(tar(USUAL, rng.choice(formats), mtime=rng.choice([1_700_000_000, 1_700_000_000.25])))
    for _ in range(rng.randint(1, 3)):
        change(content, rng)
    check(bytes(content))


def change(content: bytearray, rng: random.Random) -> None:
    """Break something, and often mend the checksum of the header that it is in."""
    at = rng.randrange(len(content))
    match rng.randrange(5):
        case 0:
            content[at] = rng.randrange(256)
        case 1:
            del content[at : at + rng.choice([1, 512, 1024])]
        case 2:
            content[at:at] = content[: rng.choice([1, 512, 1024])]
        case 3:
            content.extend(rng.choice([b"\0" * 512, b"x", b"\0" * 512 + b"x"]))
        case _:
            block = at - at % 512
            content[block + rng.randrange(512)] = rng.choice(b"\0 07x/.AZ\xff")
            mend(content, block)


def mend(content: bytearray, block: int) -> None:
    header = content[block : block + 512]
    header[148:156] = b" " * 8
    form = "{:06o}\0 " if sum(header) % 2 else "{:07o}\0"  # Python's tarfile, and Rust's tar
    content[block + 148 : block + 156] = form.format(sum(header)).encode()[-8:]


def test_tight_limits_are_kept() -> None:
    content = tar(USUAL, tarfile.USTAR_FORMAT)
    assert check(content, Limits(entries=4))
    for limits in (Limits(entries=3), Limits(path_length=20), Limits(path_depth=2)):
        assert quick(content, limits) is None
