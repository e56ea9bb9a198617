"""Files of a channel, fetched page by page, and how they are printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channeld.cli.client import Client, path
from channeld.cli.output import print_json, print_table
from channeld.pages.human import size


def every_file(client: Client, channel: str, wanted: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Fetch all files that fit."""
    files: list[dict[str, Any]] = []
    after: str | None = None
    while after != "":
        page = client.ask(
            "GET", path("channels", channel, "files"), query={**wanted, "limit": 1000, "after": after}
        )
        files += page["files"]
        after = page["next"]
    return files


def print_files(files: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print files."""
    if as_json:
        print_json({"files": files})
        return
    rows = [
        (
            f"{file['subdir']}/{file['filename']}",
            size(file["size"]),
            " ".join(file["labels"]),
            file["uploaded"],
            file["sha256"][:12],
        )
        for file in files
    ]
    print_table(("file", "size", "labels", "uploaded", "sha256"), rows)
