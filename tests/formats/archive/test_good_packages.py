"""Packages that keep to the rules are read, whichever tool wrote them."""

from __future__ import annotations

import asyncio
import json
import tarfile
from pathlib import Path

import pytest
from rattler import Channel, install, solve
from rattler.index import index_fs

from channeld.formats.names import Naming
from tests.support.archives import CONDA, INFO, PAYLOAD, STEM, TAR_BZ2, conda_zip, inspect
from tests.support.packages import (
    TarMember,
    build_conda,
    build_tar_bz2,
    conda_archive,
    conda_parts,
    filename,
    index_json,
    tar_bytes,
    tar_bz2_archive,
    zstd,
)
from tests.support.zipfiles import zip_bytes


@pytest.mark.parametrize("naming", Naming)
def test_both_formats_give_the_same_metadata(naming: Naming) -> None:
    conda = inspect(build_conda("alpha", depends=["python"]), CONDA, naming)
    tar_bz2 = inspect(build_tar_bz2("alpha", depends=["python"]), TAR_BZ2, naming)
    assert conda == tar_bz2
    assert conda.index == index_json("alpha", depends=["python"])
    assert conda.run_exports == {}
    assert list(conda.info) == ["info/index.json", "info/paths.json", "info/about.json"]


def test_builders_are_deterministic() -> None:
    assert build_conda("alpha") == build_conda("alpha")
    assert build_tar_bz2("alpha") == build_tar_bz2("alpha")


def test_a_real_client_installs_what_the_builders_make(tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    (channel / "noarch").mkdir(parents=True)
    (channel / "noarch" / filename("alpha")).write_bytes(build_conda("alpha"))
    (channel / "noarch" / filename("beta", extension="tar.bz2")).write_bytes(
        build_tar_bz2("beta", depends=["alpha"])
    )

    async def run() -> None:
        await index_fs(channel)
        records = await solve([Channel(channel.as_uri())], ["beta"], platforms=["noarch"])
        await install(records, tmp_path / "prefix", cache_dir=tmp_path / "cache")

    asyncio.run(run())
    assert (tmp_path / "prefix/share/alpha/greeting.txt").read_text() == "hello from alpha\n"
    assert (tmp_path / "prefix/share/beta/greeting.txt").read_text() == "hello from beta\n"


def test_the_parts_may_stand_in_any_order() -> None:
    metadata, pkg, info = conda_parts(STEM, zstd(tar_bytes(INFO)), zstd(tar_bytes(PAYLOAD)))
    for order in ([info, pkg, metadata], [pkg, info, metadata], [metadata, info, pkg]):
        assert inspect(zip_bytes(order)).index == index_json("alpha")


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_three_tar_formats_are_read(tar_format: int) -> None:
    info = tar_bytes(
        [*INFO, TarMember("info/licenses/" + "long" * 30 + "/" + "x" * 90)], tar_format=tar_format
    )
    data = zip_bytes(conda_parts(STEM, zstd(info), zstd(tar_bytes(PAYLOAD))))
    assert inspect(data).index == index_json("alpha")


def test_pax_headers_about_times_and_attributes_are_passed_over() -> None:
    extended = {
        "mtime": "1700000000.123",
        "SCHILY.xattr.com.apple.provenance": "x",
        "LIBARCHIVE.xattr.y": "z",
    }
    members = [TarMember(member.path, member.data, pax=extended) for member in INFO]
    assert inspect(conda_archive(STEM, members, PAYLOAD)).index == index_json("alpha")


def test_paths_may_begin_with_dot_slash_as_in_the_example_of_cep_35() -> None:
    root = [TarMember("./", kind=tarfile.DIRTYPE), TarMember("./info", kind=tarfile.DIRTYPE)]
    members = [TarMember(f"./{member.path}", member.data) for member in [*INFO, *PAYLOAD]]
    assert inspect(tar_bz2_archive([*root, *members]), TAR_BZ2).index == index_json("alpha")
    info = [TarMember(f"./{member.path}", member.data) for member in INFO]
    assert inspect(conda_archive(STEM, [*root, *info], PAYLOAD)).index == index_json("alpha")


def test_an_empty_payload_is_a_payload() -> None:
    assert inspect(build_conda("alpha", files={})).index == index_json("alpha")
    assert inspect(conda_archive(STEM, INFO, [])).index == index_json("alpha")


def test_compression_levels_and_checksums_do_not_matter() -> None:
    import zstandard

    info = tar_bytes(INFO)
    for level in (1, 19):
        for checksum in (True, False):
            for content_size in (True, False):
                compressor = zstandard.ZstdCompressor(
                    level=level, write_checksum=checksum, write_content_size=content_size
                )
                data = zip_bytes(conda_parts(STEM, compressor.compress(info), zstd(tar_bytes(PAYLOAD))))
                assert inspect(data).index == index_json("alpha")


def test_a_large_info_part_is_read_as_a_stream() -> None:
    # More than 128 KiB compressed: random bytes do not shrink. The documents stand behind them.
    noise = b"".join(hash_bytes(number) for number in range(20_000))
    members = [TarMember("info/test/noise.bin", noise), *INFO]
    assert inspect(conda_archive(STEM, members, PAYLOAD)).index == index_json("alpha")


def hash_bytes(number: int) -> bytes:
    import hashlib

    return hashlib.sha256(str(number).encode()).digest()


def test_old_packages_without_paths_json_are_read_as_legacy() -> None:
    data = build_tar_bz2("alpha", info={"paths.json": None})
    assert inspect(data, TAR_BZ2, Naming.LEGACY).index == index_json("alpha")


def test_metadata_json_may_say_more_than_the_version() -> None:
    metadata = json.dumps({"conda_pkg_format_version": 2, "tool": "x"}).encode()
    assert inspect(conda_archive(STEM, INFO, PAYLOAD, metadata)).index == index_json("alpha")


def test_zip_members_are_what_the_helpers_say() -> None:
    assert conda_zip() == build_conda("alpha")
