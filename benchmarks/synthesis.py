"""Large channels made of real records: versions and names shifted, fresh hashes, straight into the rows of a catalog.

Names, versions per name and the shape of dependencies stay real: a batch of records is taken again under a version of
its own a few times (so that a name has about 40 files, as on conda-forge), and then under names of its own.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
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
from channeld.formats.layout import canonical_json

SUBDIR: Final = "linux-64"
NOW_MS: Final = 1_760_000_000_000
_VERSIONS_A_NAME: Final = 3  # times that a record comes again under its own name
_ROWS_AT_ONCE: Final = 5_000
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
    extension = ".conda" if filename.endswith(".conda") else ".tar.bz2"
    new_name = f"{name}-{version}-{record['build']}{extension}"
    sha256 = hashlib.sha256(new_name.encode()).hexdigest()
    new = {
        **record,
        "name": name,
        "version": version,
        "subdir": SUBDIR,
        "md5": hashlib.md5(new_name.encode()).hexdigest(),
        "sha256": sha256,
    }
    exports = {"weak": [f"{name} >={version}"]} if int(sha256[:2], 16) < 50 else {}
    section = "packages.conda" if extension == ".conda" else "packages"
    return Package(new_name, section, new, exports)


def fill_apart(folder: Path, channel: str, count: int) -> None:
    """Make the catalog of a data directory in a process of its own, so that the caller's memory stays as it is."""
    command = [sys.executable, "-m", "benchmarks.synthesis", str(folder), channel, str(count)]
    subprocess.run(command, check=True)


def packages_apart(count: int, first: int) -> list[Package]:
    """Return what ``packages`` yields, read in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.synthesis", "-", str(first), str(count)]
    lines = subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
    return [Package(*orjson.loads(line)) for line in lines]


def main() -> None:
    """Fill a folder, or print packages, as the two functions above ask."""
    folder, second, count = sys.argv[1:]
    if folder == "-":
        for one in packages(data_folder(), int(count), first=int(second)):
            fields = (one.filename, one.section, one.record, one.run_exports)
            sys.stdout.buffer.write(orjson.dumps(fields) + b"\n")
        return
    database = open_database(f"sqlite:///{Path(folder) / 'catalog.sqlite'}")
    schema.upgrade(database)
    fill(database, second, packages(data_folder(), int(count)))
    database.close()


def fill(database: Database, channel: str, found: Iterator[Package]) -> int:
    """Create a channel, put packages into it under ``main``, and mark the whole view dirty; returns how many."""
    actor = Actor("benchmark", "local", NOW_MS)
    settings = ChannelSettings(subdirs=("noarch", SUBDIR))
    database.write_now(partial(channels.create, name=channel, settings=settings, actor=actor))
    total = 0
    while rows := list(islice(found, _ROWS_AT_ONCE)):
        database.write_now(partial(_insert, channel=channel, rows=rows, first=total))
        total += len(rows)

    def mark(connection: Connection) -> None:
        there = channels.lock(connection, [channel])[channel]
        label = labels.get(connection, there, "main")
        labels.mark_whole(connection, there, label, channels.next_revision(connection, there), NOW_MS)

    database.write_now(mark)
    return total


def _insert(connection: Connection, channel: str, rows: list[Package], first: int) -> None:
    """Write artifacts, files and labels; ids are counted here, so the catalog must hold nothing else."""
    there = channels.get(connection, channel)
    label = labels.get(connection, there, "main")
    numbered = list(enumerate(rows, start=first + 1))
    connection.execute(t.artifacts.insert(), [_artifact(number, package) for number, package in numbered])
    facts = [{"artifact_id": number, "facts": _facts(package)} for number, package in numbered]
    connection.execute(t.channel_facts.insert(), facts)
    connection.execute(t.files.insert(), [_file(number, package, there.id) for number, package in numbered])
    labelled = [_labelled(number, package, label.id) for number, package in numbered]
    connection.execute(t.file_labels.insert(), labelled)


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
