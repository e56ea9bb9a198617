"""What rattler-index makes of the same folders has the same names and records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack
import pytest
from rattler import MatchSpec

from channeld.formats.timestamps import milliseconds
from tests.support.folders import decompressed, index, repodata, shards
from tests.support.realchannels import index_with_rattler, lay_out, sort_packages

#: What rattler reads of a record. Not the subdir: it is not told where index.json has none.
KNOWN = {
    "build", "build_number", "constrains", "depends", "features", "license", "license_family", "md5", "name",
    "noarch", "sha256", "size", "timestamp", "track_features", "version",
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    packages = [one for one in sort_packages(test_data).good if not one.path.name.endswith("_copy.tar.bz2")]
    folder = tmp_path_factory.mktemp("conformance")
    theirs = lay_out(packages, folder / "theirs")
    index_with_rattler(theirs)
    ours = lay_out(packages, folder / "ours")
    for channel in ours:
        assert index(channel).refused == []
    return list(zip(ours, theirs, strict=True))


def known(record: dict[str, Any]) -> dict[str, Any]:
    """Reduce a record to what rattler reads of it, with rattler's defaults left out."""
    track_features = record.get("track_features") or []
    listed = track_features.split() if isinstance(track_features, str) else track_features
    timestamp = milliseconds(record.get("timestamp"))
    noarch = "generic" if record.get("noarch") is True else record.get("noarch")
    # rattler writes some specs in a form of its own: "a>=1" as "a >=1"
    specs = {
        field: [str(MatchSpec(spec)) for spec in record.get(field) or []]
        for field in ("depends", "constrains")
    }
    return {
        field: value
        for field, value in {
            **record,
            "track_features": listed,
            "timestamp": timestamp,
            "noarch": noarch,
            **specs,
        }.items()
        if field in KNOWN and value not in ([], "", None, 0)
    }


def test_every_record_of_repodata_is_the_same(folders: list[tuple[Path, Path]]) -> None:
    count = 0
    for ours, theirs in folders:
        for subdir in (path.parent.name for path in theirs.glob("*/repodata.json")):
            one, other = repodata(theirs, subdir), repodata(ours, subdir)
            for section in ("packages", "packages.conda"):
                expected = {name: known(record) for name, record in one.get(section, {}).items()}
                assert {name: known(record) for name, record in other[section].items()} == expected
                count += len(expected)
    assert count > 400


def test_every_shard_has_the_same_names_and_records(folders: list[tuple[Path, Path]]) -> None:
    for ours, theirs in folders:
        for subdir in (path.parent.name for path in theirs.glob("*/repodata_shards.msgpack.zst")):
            one, other = rattler_shards(theirs / subdir), shards(ours, subdir)
            assert other.keys() == one.keys()
            for name, sections in other.items():
                for section in ("packages", "packages.conda"):
                    expected = one[name].get(section, {})
                    assert {key: known(record) for key, record in sections[section].items()} == {
                        key: known(_hex(record)) for key, record in expected.items()
                    }


def rattler_shards(folder: Path) -> dict[str, Any]:
    document = msgpack.unpackb(decompressed(folder / "repodata_shards.msgpack.zst"))
    place = folder / document["info"]["shards_base_url"]
    return {
        name: msgpack.unpackb(decompressed(place / f"{digest.hex()}.msgpack.zst"))
        for name, digest in document["shards"].items()
    }


def _hex(record: dict[str, Any]) -> dict[str, Any]:
    return {field: value.hex() if isinstance(value, bytes) else value for field, value in record.items()}
