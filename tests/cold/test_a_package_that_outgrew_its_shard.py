"""A package whose records are more than clients take in one shard keeps its last one, and the index names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from channeld.formats import shard
from channeld.formats.shard import decode_shard_index
from tests.support.folders import index, put_conda, repodata, shards

LONG = b'{"weak": ["' + b"x" * 4000 + b'"]}'


@pytest.fixture(autouse=True)
def _short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "SHARD_LIMIT", 3000)


def listed(folder: Path) -> dict[str, list[str]]:
    return {name: sorted(found["packages.conda"]) for name, found in shards(folder).items()}


def info(folder: Path) -> dict[str, Any]:
    return decode_shard_index((folder / "noarch" / "repodata_shards.msgpack.zst").read_bytes()).info


def test_it_keeps_its_shard_until_it_fits_again(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    assert "stale_shards" not in info(tmp_path)
    large = put_conda(tmp_path, "alpha", "2.0", info={"run_exports.json": LONG})
    put_conda(tmp_path, "beta")
    for _ in range(2):
        index(tmp_path)
        assert listed(tmp_path) == {"alpha": ["alpha-1.0-0.conda"], "beta": ["beta-1.0-0.conda"]}
        assert info(tmp_path)["stale_shards"] == ["alpha"]
    assert len(repodata(tmp_path)["packages.conda"]) == 3
    large.unlink()
    put_conda(tmp_path, "alpha", "1.1")
    index(tmp_path)
    assert listed(tmp_path)["alpha"] == ["alpha-1.0-0.conda", "alpha-1.1-0.conda"]
    assert "stale_shards" not in info(tmp_path)
