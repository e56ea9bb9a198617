"""A folder with a registry of outputs, as conda-forge keeps it, into a server and out of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from channeld.cli.client import Client, path
from channeld.cli.failures import Failure
from channeld.cli.registrypages import registry_of
from channeld.promotion.outputs import Registry
from channeld.promotion.outputsrepo import ALLOWLIST, CONFIG, changes, layout_of, read
from channeld.promotion.registering import Wanted

#: Outputs and globs of one request: small enough that other changes of the channel do not wait long.
_BATCH_ENTRIES: Final = 1000


def import_folder(client: Client, channel: str, folder: Path, reason: str) -> dict[str, int]:
    """Send a registry in batches, and return how much was new.

    Raises:
        Failure, Rejected: it cannot be read, or has what no registry may have; then nothing was sent.
    """
    registry = read(_files(folder))
    Wanted.checked(registry.outputs, registry.globs.by_feedstock)
    total = dict.fromkeys(("feedstocks", "outputs", "globs"), 0)
    with click.progressbar(
        length=len(registry.outputs) + len(registry.globs.by_feedstock),
        label="Importing",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        for batch in _batches(registry):
            answer = client.ask("POST", path("channels", channel, "registry"), batch, reason=reason)
            for name, count in answer.items():
                total[name] += count
            bar.update(len(batch["outputs"]) + len(batch["globs"]))
    return total


def _batches(registry: Registry) -> Iterator[dict[str, Any]]:
    """Cut a registry into requests."""
    parts: list[tuple[str, str, tuple[str, ...]]] = [
        *(("outputs", name, owners) for name, owners in registry.outputs.items()),
        *(("globs", name, globs) for name, globs in registry.globs.by_feedstock.items()),
    ]
    batch: dict[str, Any] = {"outputs": {}, "globs": {}}
    entries = 0
    for kind, name, values in parts:
        for start in range(0, len(values), _BATCH_ENTRIES):
            some = values[start : start + _BATCH_ENTRIES]
            if entries and (entries + len(some) > _BATCH_ENTRIES or name in batch[kind]):
                yield batch
                batch, entries = {"outputs": {}, "globs": {}}, 0
            batch[kind][name] = some
            entries += len(some)
    if entries:
        yield batch


def export_folder(client: Client, channel: str, folder: Path) -> dict[str, int]:
    """Write a registry, and return how many files were written and deleted.

    Raises:
        Failure, Rejected: the folder cannot be written, or holds a registry that cannot be read.
    """
    registry = registry_of(client, channel)
    changed = changes(_files(folder) if folder.exists() else {}, registry)
    root = folder.resolve()
    try:
        for name, data in changed.items():
            if not (folder / name).resolve().is_relative_to(root):
                raise Failure(f"{folder / name} is reached by a link that leads out of the folder.")
            _put(folder / name, data)
    except OSError as error:
        raise Failure(f"{error.filename} cannot be written: {error.strerror}.") from error
    deleted = sum(data is None for data in changed.values())
    return {"written": len(changed) - deleted, "deleted": deleted}


def _put(file: Path, data: bytes | None) -> None:
    if data is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _files(folder: Path) -> dict[str, bytes]:
    """Read the files of a registry, and no links."""
    try:
        files = {
            name: (folder / name).read_bytes() for name in (CONFIG, ALLOWLIST) if (folder / name).is_file()
        }
        below = folder / layout_of(files).folder.strip("/")
        for file in below.rglob("*.json"):
            if file.is_file() and not file.is_symlink():
                files[file.relative_to(folder).as_posix()] = file.read_bytes()
    except OSError as error:
        raise Failure(f"{error.filename} cannot be read: {error.strerror}.") from error
    return files
