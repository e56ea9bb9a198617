"""The documents that ``channeld index`` writes of a folder are those that a server publishes of the same packages.

Every value and the order of all keys are compared, and of the shards the bytes. What may differ, and nothing else:

- the white space between two pages of a document, since only a server cuts current_repodata.json into pages;
- in the index of shards ``created_at``, the time when either of them drew it, and ``shards_base_url``, since each keeps
  the shards where it likes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from channeld.catalog import channels, labels, views
from channeld.catalog import shards as shard_rows
from channeld.cold.importing import Importer, ImportOptions
from channeld.cold.progress import Silent
from channeld.formats.shard import decode_shard, decode_shard_index
from channeld.indexing import generation
from channeld.indexing.generation import Documents, Paged, Whole
from channeld.indexing.pagetable import Place
from channeld.instance import Instance
from tests.support.folders import decompressed, index, put_conda, put_tar_bz2, shards
from tests.support.instances import make_channel, opened

CHANNEL: Final = "tools"
SUBDIRS: Final = ("linux-64", "noarch")
SHARDS: Final = "repodata_shards.msgpack.zst"
CHANNELDATA: Final = "channeldata.json"
MAY_DIFFER: Final = {"created_at", "shards_base_url"}


def about(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def make_source(folder: Path) -> None:
    """Packages of every kind that a document treats in a way of its own."""
    for number in range(12):
        put_conda(folder, f"many{number:02d}", subdir=SUBDIRS[number % 2], depends=["alpha >=1"])
    for version in ("1.0", "1.10", "1.9", "2.0rc1"):
        put_conda(folder, "alpha", version, depends=[f"beta >={version}"])
        put_conda(folder, "alpha", version, "linux-64", build_number=3)
    put_tar_bz2(folder, "alpha", "1.10")  # beside a .conda of the same stem
    put_tar_bz2(folder, "only-bz2", "0.1", "linux-64")
    for name, said in (("weak", {"weak": ["weak >=1"]}), ("strong", {"strong": ["a", "b"], "noarch": ["c"]})):
        put_conda(folder, name, subdir="linux-64", info={"run_exports.json": about(**said)})
    put_conda(
        folder,
        "told",
        info={
            "about.json": about(
                home="https://example.org/", license_family="BSD", description='Ä "text"\n', tags=["x"]
            ),
            "recipe/meta.yaml": b"package: {name: told}\nsource: {url: https://example.org/told.tar.gz}\n",
        },
    )
    put_conda(folder, "python", "3.12.1", "linux-64", index={"track_features": "debug"})
    put_conda(folder, "pure", index={"noarch": "python", "constrains": ["alpha <3"], "timestamp": None})
    put_conda(folder, "conditional", depends=['beta[when="python>=3"]'], index={"constrains": ["gamma"]})


def without_space(document: bytes) -> str:
    """Write a document anew: the same values and keys in the same order, and no white space that depends on pages."""
    return json.dumps(json.loads(document))


@dataclass(frozen=True, slots=True)
class Server:
    """What an instance publishes of the channel."""

    instance: Instance

    def documents(self, subdir: str) -> Documents:
        with self.instance.database.snapshot() as connection:
            label = labels.get(connection, channels.get(connection, CHANNEL), "main")
            current = views.current(connection, label.id, subdir)
        assert current is not None
        return generation.decode(current.documents)

    def text(self, subdir: str, name: str) -> str:
        document = self.documents(subdir)[name]
        assert isinstance(document, Paged)
        return without_space(decompressed(self.instance.assembly.ensure(document)))

    def shard_index(self, subdir: str) -> bytes:
        document = self.documents(subdir)[SHARDS]
        assert isinstance(document, Whole)
        return self.instance.packs.read(document.place)

    def shard(self, sha256: bytes) -> bytes:
        with self.instance.database.snapshot() as connection:
            channel = channels.get(connection, CHANNEL)
            found = shard_rows.find(connection, channel_id=channel.id, sha256=sha256)
        assert found is not None
        return self.instance.packs.read(Place(found.pack, found.start, found.size, sha256))


@pytest.fixture
def both(tmp_path: Path) -> Any:
    """The folder, indexed, and an instance that has imported it."""
    source = tmp_path / "source"
    make_source(source)
    assert index(source).refused == []
    with opened(tmp_path) as instance:
        make_channel(instance, CHANNEL)
        importer = Importer(0)
        try:
            report = importer.run(instance, CHANNEL, source, ImportOptions(), Silent())
        finally:
            importer.close()
        assert (report.refused, report.left_to) == ([], "")
        yield source, Server(instance)


def test_every_document_has_the_same_values_in_the_same_order(both: tuple[Path, Server]) -> None:
    folder, server = both
    for subdir in SUBDIRS:
        names = server.documents(subdir).keys() - {SHARDS}
        written = {path.name for path in (folder / subdir).glob("*.json")}
        assert names == written
        for name in names:
            path = folder / subdir / name
            assert server.text(subdir, name) == without_space(path.read_bytes()), path
            zst = path.with_name(f"{name}.zst")
            assert not zst.exists() or decompressed(zst) == path.read_bytes()
    assert server.text("", CHANNELDATA) == without_space((folder / CHANNELDATA).read_bytes())


def test_every_shard_has_the_same_bytes(both: tuple[Path, Server]) -> None:
    folder, server = both
    for subdir in SUBDIRS:
        theirs = decode_shard_index(server.shard_index(subdir))
        ours = decode_shard_index((folder / subdir / SHARDS).read_bytes())
        assert theirs.shards == ours.shards
        assert theirs.info.keys() == ours.info.keys()
        differing = {key for key, value in ours.info.items() if theirs.info[key] != value}
        assert differing <= MAY_DIFFER
        read = {name: decode_shard(server.shard(sha256)) for name, sha256 in theirs.shards.items()}
        assert {name: shard.sections for name, shard in read.items()} == shards(folder, subdir)
        assert {shard.removed for shard in read.values()} == {()}
    assert "v3.conda" in shards(folder)["conditional"]


def test_the_documents_are_about_something(both: tuple[Path, Server]) -> None:
    """Each kind of package is where it was meant to make a difference."""
    _, server = both
    load = partial(map, json.loads)
    repodata, current, exports = load(
        server.text("noarch", name) for name in ("repodata.json", "current_repodata.json", "run_exports.json")
    )
    assert len(repodata["packages"]) == 1
    assert "conditional-1.0-0" in repodata["v3"]["conda"]
    assert "alpha-1.9-0.conda" in repodata["packages.conda"].keys() - current["packages.conda"].keys()
    assert exports["packages.conda"].keys() == {*repodata["packages.conda"], "conditional-1.0-0.conda"}
    linux = json.loads(server.text("linux-64", "run_exports.json"))
    assert linux["packages.conda"]["strong-1.0-0.conda"] == {
        "run_exports": {"noarch": ["c"], "strong": ["a", "b"]}
    }
    told = json.loads(server.text("", CHANNELDATA))["packages"]["told"]
    assert (told["home"], told["source_url"]) == ("https://example.org/", "https://example.org/told.tar.gz")
