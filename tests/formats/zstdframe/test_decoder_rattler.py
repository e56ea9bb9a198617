"""rattler's gateway fetches a spliced repodata.json.zst over HTTP and reads every record in it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from rattler import Gateway, SourceConfig

from channeld.formats.zstdframe import check_frame
from tests.support.zstd_documents import Page, record_entries, render, splice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Entries = dict[str, dict[str, object]]


class RecordingHandler(SimpleHTTPRequestHandler):
    def __init__(self, *args: object, seen: list[str], **options: object) -> None:
        self.seen = seen
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        self.seen.append(f"{self.command} {self.path}")


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    handler = partial(RecordingHandler, directory=str(folder), seen=seen)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/channel", seen
        finally:
            server.shutdown()
            thread.join()


def publish(channel: Path, subdir: str, sections: list[Entries], page_size: int) -> None:
    """Write repodata.json.zst, and no other file, with pages of so many records at levels 1 to 19 in turn."""
    pages = [
        [
            Page(render(dict(list(entries.items())[at : at + page_size])), level=(at // page_size) % 19 + 1)
            for at in range(0, len(entries), page_size)
        ]
        for entries in sections
    ]
    document = splice(pages)
    check_frame(document.frame, len(document.text))
    assert json.loads(document.text)["packages.conda"] == sections[1]
    folder = channel / subdir
    folder.mkdir(parents=True)
    (folder / "repodata.json.zst").write_bytes(document.frame)


async def fetch(url: str, cache: Path, sections: list[Entries]) -> dict[str, tuple[object, ...]]:
    """Fetch every record of the names in these sections, by file name."""
    gateway = Gateway(cache_dir=cache, default_config=SourceConfig(sharded_enabled=False))
    names = {str(record["name"]) for entries in sections for record in entries.values()}
    result = await gateway.query([url], ["linux-64", "noarch"], sorted(names), recursive=False)
    return {
        record.file_name: (
            str(record.build),
            record.build_number,
            record.sha256,
            record.size,
            str(record.version),
        )
        for records in result
        for record in records
    }


def fields(record: dict[str, object]) -> tuple[object, ...]:
    sha256 = bytes.fromhex(str(record["sha256"]))
    return (record["build"], record["build_number"], sha256, record["size"], record["version"])


async def test_the_gateway_reads_every_record_of_a_spliced_document(tmp_path: Path) -> None:
    sections = [record_entries(100, 1, ".tar.bz2"), record_entries(1_000, 2)]
    publish(tmp_path / "channel", "linux-64", sections, page_size=20)
    publish(tmp_path / "channel", "noarch", [{}, {}], page_size=20)

    with served(tmp_path) as (url, seen):
        found = await fetch(url, tmp_path / "cache", sections)

    assert found == {name: fields(record) for entries in sections for name, record in entries.items()}
    assert "GET /channel/linux-64/repodata.json.zst" in {line.split("?")[0] for line in seen}
    assert not [line for line in seen if line.startswith("GET") and not line.endswith("repodata.json.zst")]


async def test_the_gateway_reads_real_records_of_a_spliced_document(test_data: Path, tmp_path: Path) -> None:
    path = test_data / "repodata/derived-from-lockfiles/conda-forge/linux-64/repodata.json"
    real = json.loads(path.read_bytes())["packages.conda"]
    sections: list[Entries] = [{}, dict(list(real.items())[:1_500])]
    publish(tmp_path / "channel", "linux-64", sections, page_size=256)
    publish(tmp_path / "channel", "noarch", [{}, {}], page_size=256)

    with served(tmp_path) as (url, _):
        found = await fetch(url, tmp_path / "cache", sections)

    assert {name: found[name][2] for name in sections[1]} == {
        name: bytes.fromhex(str(record["sha256"])) for name, record in sections[1].items()
    }
