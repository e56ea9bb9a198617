"""conda-index as the yardstick: what it makes of one package file, without a folder or a database.

Importing this module puts a stand-in for the two names of ``conda`` that conda-index needs on ``sys.path``, unless a
real conda is installed.
"""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

if importlib.util.find_spec("conda") is None:
    sys.path.append(str(Path(__file__).parent / "conda_standin"))

from conda_index.index import cache as conda_index_cache


@dataclass(frozen=True, slots=True)
class Indexed:
    """What conda-index keeps of a package: its record, and the files of ``info/`` that channeldata is made of."""

    record: Mapping[str, Any]
    members: Mapping[str, Any]

    def channeldata_input(self) -> dict[str, Any]:
        """Merge the members as ``load_all_from_cache`` does."""
        data: dict[str, Any] = {}
        recipe = next(
            (text for path, text in self.members.items() if path.endswith((".yaml", ".rendered"))), "{}"
        )
        for text in (
            recipe,
            self.members.get("info/about.json", "{}"),
            self.members["info/post_install.json"],
        ):
            data.update(json.loads(text) or {})
        source = data.get("source")
        if isinstance(source, dict):
            data.update({f"source_{key}": value for key, value in source.items()})
        data["run_exports"] = json.loads(self.members.get("info/run_exports.json") or "{}")
        return data


class _OneFile(conda_index_cache.BaseCondaIndexCache):
    """conda-index's cache with one file in it and nothing behind it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.indexed: Indexed | None = None

    def open(self, fn: str) -> IO[bytes]:
        return io.BytesIO(self._data)

    def store(self, fn: str, size: int, mtime: int, members: dict[str, Any], index_json: Any) -> None:
        self.indexed = Indexed(dict(index_json), dict(members))

    def convert(self) -> None:
        raise NotImplementedError

    def load_all_from_cache(self, fn: str) -> dict[str, Any]:
        raise NotImplementedError

    def store_stat_state(self, stage: str | None, listdir_stat: Any) -> None:
        raise NotImplementedError

    def changed_packages(self) -> list[Any]:
        raise NotImplementedError

    def indexed_packages(self) -> Any:
        raise NotImplementedError

    def indexed_shards(self, desired: Any = None, *, pack_record: Any = None) -> Any:
        raise NotImplementedError

    def run_exports(self) -> Any:
        raise NotImplementedError


def index_with_conda_index(data: bytes, filename: str) -> Indexed:
    """Return what conda-index extracts from a package; whatever it raises for a bad one is passed on."""
    cache = _OneFile(data)
    cache.extract_to_cache_unconditional(filename, filename, len(data), 0)
    assert cache.indexed is not None
    return cache.indexed
