"""Large channels made of real records: versions and names shifted, fresh hashes, straight into the rows of a catalog.

Names, versions per name and the shape of dependencies stay real: a batch of records is taken again under a version of
its own a few times (so that a name has about 40 files, as on conda-forge), and then under names of its own.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from channeld.catalog import channels, labels, schema
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database, open_database
from channeld.catalog.prepared import Prepared
from channeld.formats.layout import canonical_json

SUBDIR: Final = "linux-64"
NOW_MS: Final = 1_760_000_000_000
_VERSIONS_A_NAME: Final = 3  # times that a record comes again under its own name
_ROWS_AT_ONCE: Final = 5_000
#: Of SQLite's pages, as its ``cache_size`` has it: 3 GiB.
_CACHE: Final = -3 * 1024 * 1024
_ARTIFACT: Final = (
    "id", "sha256", "md5", "size", "filename", "subdir", "name", "version", "build", "build_number", "timestamp_ms",
    "section", "record", "run_exports", "stored_ms",
)  # fmt: skip
_FILE: Final = (
    "id", "channel_id", "subdir", "filename", "candidate", "artifact_id", "name", "broken", "uploaded_ms",
    "uploaded_by",
)  # fmt: skip
_INSERT_ARTIFACT: Final = Prepared(t.artifacts.insert(), _ARTIFACT)
_INSERT_FACTS: Final = Prepared(t.channel_facts.insert())
_INSERT_FILE: Final = Prepared(t.files.insert(), _FILE)
_INSERT_LABELLED: Final = Prepared(t.file_labels.insert())
_FOLDER: Final = "repodata/derived-from-lockfiles"


@dataclass(frozen=True, slots=True)
class Package:
    """One synthetic file: what the catalog's rows say of it."""

    filename: str
    section: str
    record: dict[str, Any]
    run_exports: dict[str, Any]


def data_folder() -> Path:
    """Return where the real records are; says so and stops where they are not."""
    folder = os.environ.get("CHANNELD_TEST_DATA")
    if not folder:
        sys.exit("CHANNELD_TEST_DATA is not set: the benchmarks need real records.")
    return Path(folder)


def real_records(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return every real record with its file name, each name once, sorted."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / _FOLDER).glob("*/*/repodata.json")):
        document = orjson.loads(path.read_bytes())
        for section in ("packages", "packages.conda"):
            for filename, record in document.get(section, {}).items():
                found.setdefault(filename, record)
    return sorted(found.items())


def packages(folder: Path, count: int, first: int = 0) -> Iterator[Package]:
    """Yield ``count`` packages, beginning with the ``first``-th: the same ones every time."""
    real = real_records(folder)
    for number in range(first, first + count):
        batch, place = divmod(number, len(real))
        yield shifted(*real[place], batch)


def shifted(filename: str, record: dict[str, Any], batch: int) -> Package:
    """Return a real record as that of a package of another version, and perhaps of another name."""
    family, copy = divmod(batch, _VERSIONS_A_NAME)
    name = f"{record['name']}-f{family}" if family else record["name"]
    version = f"{record['version']}.90{copy}" if copy else record["version"]
    return _renamed(record, name, version, ".conda" if filename.endswith(".conda") else ".tar.bz2")


def newer(package: Package, number: int) -> Package:
    """Return the next version of a package, one that ``packages`` never yields; another one for each number."""
    record = package.record
    extension = ".conda" if package.section == "packages.conda" else ".tar.bz2"
    return _renamed(record, record["name"], f"{record['version']}.7{number:04d}", extension)


def _renamed(record: dict[str, Any], name: str, version: str, extension: str) -> Package:
    filename = f"{name}-{version}-{record['build']}{extension}"
    sha256 = hashlib.sha256(filename.encode()).hexdigest()
    new = {
        **record,
        "name": name,
        "version": version,
        "subdir": SUBDIR,
        "md5": hashlib.md5(filename.encode()).hexdigest(),
        "sha256": sha256,
    }
    exports = {"weak": [f"{name} >={version}"]} if int(sha256[:2], 16) < 50 else {}
    section = "packages.conda" if extension == ".conda" else "packages"
    return Package(filename, section, new, exports)


def scattered(folder: Path, total: int, count: int) -> Iterator[Package]:
    """Yield ``count`` of the first ``total`` packages, drawn at random, always the same: such as may be uploaded here.

    That is ``.conda`` files that are not noarch. There are fewer where ``total`` has no more of them.
    """
    real = real_records(folder)
    drawn = list(range(total))
    random.Random(total).shuffle(drawn)
    found = (shifted(*real[number % len(real)], number // len(real)) for number in drawn)
    return islice(
        (one for one in found if one.section == "packages.conda" and "noarch" not in one.record), count
    )


def fill_apart(folder: Path, channel: str, count: int) -> None:
    """Make the catalog of a data directory in a process of its own, so that the caller's memory stays as it is."""
    _apart("fill", str(folder), channel, str(count))


def scattered_apart(total: int, count: int) -> list[Package]:
    """Return what ``scattered`` yields, read in a process of its own."""
    return [Package(*orjson.loads(line)) for line in _apart("scattered", str(total), str(count)).splitlines()]


def _apart(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "benchmarks.synthesis", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def main() -> None:
    """Fill a folder, or print packages, as the two functions above ask."""
    if sys.argv[1] == "scattered":
        total, count = map(int, sys.argv[2:])
        for one in scattered(data_folder(), total, count):
            fields = (one.filename, one.section, one.record, one.run_exports)
            sys.stdout.buffer.write(orjson.dumps(fields) + b"\n")
        return
    _, _, folder, channel, text = sys.argv
    database = open_database(f"sqlite:///{Path(folder) / 'catalog.sqlite'}")
    schema.upgrade(database)
    fill(database, channel, packages(data_folder(), int(text)))
    database.close()


def fill(database: Database, channel: str, found: Iterator[Package]) -> int:
    """Create a channel, put packages into it under ``main``, and mark the whole view dirty; returns how many.

    The catalog must hold nothing else. It is one transaction, whose pages SQLite keeps in memory: a random index, such
    as that of the hashes, is written once, and not again with every few thousand rows.
    """
    actor = Actor("benchmark", "local", NOW_MS)
    settings = ChannelSettings(subdirs=("noarch", SUBDIR))
    database.write_now(partial(channels.create, name=channel, settings=settings, actor=actor))

    def work(connection: Connection) -> int:
        there = channels.lock(connection, [channel])[channel]
        label = labels.get(connection, there, "main")
        total = 0
        while rows := list(islice(found, _ROWS_AT_ONCE)):
            _insert(connection, rows, total, there.id, label.id)
            total += len(rows)
        labels.mark_whole(connection, there, label, channels.next_revision(connection, there), NOW_MS)
        return total

    with _room(database):
        return database.write_now(work)


@contextmanager
def _room(database: Database) -> Iterator[None]:
    """Let the writer of an SQLite catalog keep gigabytes of changed pages meanwhile."""
    if database.write_engine.dialect.name != "sqlite":
        yield
        return
    usual = database.write_now(partial(_cache, pages=_CACHE))
    try:
        yield
    finally:
        database.write_now(partial(_cache, pages=usual))


def _cache(connection: Connection, pages: int) -> int:
    """Set the size of the cache as SQLite's ``cache_size`` does (KiB when negative); returns what it was."""
    before = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size = {pages}")
    return int(before)


def _insert(connection: Connection, rows: list[Package], first: int, channel_id: int, label_id: int) -> None:
    """Write artifacts, files and labels; ids are counted here."""
    numbered = list(enumerate(rows, start=first + 1))
    _INSERT_ARTIFACT.run(connection, [_artifact(number, package) for number, package in numbered])
    facts = [{"artifact_id": number, "facts": _facts(package)} for number, package in numbered]
    _INSERT_FACTS.run(connection, facts)
    _INSERT_FILE.run(connection, [_file(number, package, channel_id) for number, package in numbered])
    _INSERT_LABELLED.run(connection, [_labelled(number, package, label_id) for number, package in numbered])


def _artifact(number: int, package: Package) -> dict[str, Any]:
    record = package.record
    return {
        "id": number,
        **{field: record[field] for field in ("sha256", "md5", "name", "version", "build", "build_number")},
        "size": record.get("size", 0),
        "filename": package.filename,
        "subdir": SUBDIR,
        "timestamp_ms": record.get("timestamp") or 0,
        "section": package.section,
        "record": canonical_json(record),
        "run_exports": canonical_json(package.run_exports),
        "stored_ms": NOW_MS,
    }


def _facts(package: Package) -> bytes:
    name = package.record["name"]
    about = {"home": f"https://example.org/{name}", "summary": f"What {name} is good for, in one line."}
    return canonical_json({"about": about, "source": {"url": f"https://example.org/{package.filename}"}})


def _file(number: int, package: Package, channel_id: int) -> dict[str, Any]:
    return {
        "id": number,
        "channel_id": channel_id,
        "subdir": SUBDIR,
        "filename": package.filename,
        "candidate": "",
        "artifact_id": number,
        "name": package.record["name"],
        "broken": False,
        "uploaded_ms": NOW_MS,
        "uploaded_by": "benchmark",
    }


def _labelled(number: int, package: Package, label_id: int) -> dict[str, Any]:
    return {
        "label_id": label_id,
        "subdir": SUBDIR,
        "filename": package.filename,
        "file_id": number,
        "indexed_ms": NOW_MS - (number * 7919) % 10**10,
        "active": True,
    }


if __name__ == "__main__":
    main()
