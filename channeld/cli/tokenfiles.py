"""Files of feedstock tokens, sent to a server in batches."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson

from channeld.cli.client import Client, path
from channeld.cli.failures import Failure
from channeld.promotion.feedstocktokens import FeedstockTokens, TokenFileMalformed

#: Of one request; the server takes 1 MiB.
_BATCH_BYTES: Final = 700_000
_FILE_BYTES: Final = 1_000_000


def import_files(client: Client, channel: str, paths: Sequence[Path], reason: str) -> dict[str, int]:
    """Send files, each ``<feedstock>.json``, and return what it came to.

    Raises:
        Failure: one of them cannot be read; what was sent before stays, and is known the next time.
    """
    files = list(_files(paths))
    total = dict.fromkeys(("added", "known", "shortened", "ended", "registered"), 0)
    with click.progressbar(
        length=len(files), label="Importing", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        for batch in _batches(files):
            body = {"feedstocks": batch}
            answer = client.ask("POST", path("channels", channel, "feedstock-tokens"), body, reason=reason)
            for name, count in answer.items():
                total[name] += count
            bar.update(len(batch))
    return total


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for each in paths:
        if each.is_dir():
            yield from sorted(file for file in each.glob("*.json") if file.is_file())
        else:
            yield each


def _batches(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    batch: dict[str, Any] = {}
    size = 0
    for file in files:
        data = _read(file)
        if file.stem in batch or (batch and size + len(data) > _BATCH_BYTES):
            yield batch
            batch, size = {}, 0
        batch[file.stem] = orjson.loads(data)
        size += len(data)
    if batch:
        yield batch


def _read(file: Path) -> bytes:
    """Read a file that the server will understand."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_FILE_BYTES + 1)
        FeedstockTokens.parse(data)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.") from error
    except TokenFileMalformed as error:
        raise Failure(f"{file}: {error.sentence()}", error.advice) from error
    if len(data) > _FILE_BYTES:
        raise Failure(f"{file} has more than {_FILE_BYTES:,} bytes: it is no file of a feedstock's tokens.")
    return data
