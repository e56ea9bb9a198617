"""``channeld file``: what a channel holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from channeld.cli.arguments import FileOfChannel, reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import print_facts, print_json, print_table, yes

if TYPE_CHECKING:
    from channeld.cli.client import Client

_file = click.argument("file", type=FileOfChannel(), metavar="SUBDIR/FILE")
_sha256 = click.option("--sha256", metavar="HASH", help="Which of several candidates of a staging channel.")


@click.group()
def file() -> None:
    """List, look at and delete files of a channel."""


@file.command("list")
@click.argument("channel")
@click.option("--name", help="Of this package.")
@click.option("--version", help="Of this version.")
@click.option("--subdir", help="Of this subdir.")
@click.option("--label", help="Carrying this label.")
@click.option("--sha256", help="With these bytes.")
@json_option
@talks_to_server
def list_(client: Client, channel: str, as_json: bool, **wanted: str | None) -> None:
    """List the files of CHANNEL."""
    from channeld.cli.filelist import every_file, print_files

    print_files(every_file(client, channel, wanted), as_json=as_json)


@file.command()
@click.argument("channel")
@_file
@_sha256
@json_option
@talks_to_server
def show(client: Client, channel: str, file: tuple[str, str], sha256: str | None, as_json: bool) -> None:
    """Show a file of CHANNEL, and under which labels it is live."""
    answer = client.ask("GET", _path(channel, file), query={"sha256": sha256})
    if as_json:
        print_json(answer)
        return
    shown = answer["file"]
    print_facts(
        [
            ("file", f"{shown['subdir']}/{shown['filename']}"),
            ("sha256", shown["sha256"]),
            ("md5", shown["md5"]),
            ("size", f"{shown['size']:,} bytes"),
            ("uploaded", f"{shown['uploaded']} by {shown['uploaded_by']}"),
            ("broken", yes(shown["broken"])),
        ]
    )
    rows = [
        (
            place["label"],
            _state(place),
            place["generation"],
            place["revision"],
            place["indexed"],
            place["url"],
        )
        for place in answer["places"]
    ]
    print_table(("label", "state", "generation", "revision", "indexed", "url"), rows)


def _state(place: dict[str, object]) -> str:
    if place["pending"]:
        return "pending"
    return "live" if place["live"] else "hidden"


@file.command()
@click.argument("channel")
@_file
@_sha256
@reason_option
@talks_to_server
def delete(client: Client, channel: str, file: tuple[str, str], sha256: str | None, reason: str) -> None:
    """Delete a file of CHANNEL.

    Its name stays taken: it may come back with the same bytes only. A candidate of a staging channel is hidden: by its
    sha256 it can be promoted until it expires.
    """
    client.ask("DELETE", _path(channel, file), query={"sha256": sha256}, reason=reason)
    click.echo(f"{'/'.join(file)} is deleted from the channel {channel}.")


def _path(channel: str, file: tuple[str, str]) -> str:
    from channeld.cli.client import path

    return path("channels", channel, "files", *file)
