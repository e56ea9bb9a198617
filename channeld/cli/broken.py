"""``channeld broken``: hide packages that must not be installed, and bring them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from channeld.cli.arguments import dry_run_option, reason_option, what_argument
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import counted

if TYPE_CHECKING:
    from channeld.cli.client import Client

#: The label that hides a file from all others.
_BROKEN: Final = "broken"


@click.group()
def broken() -> None:
    """Hide broken packages from solvers.

    A broken file stays where it is for those who have it in a lock file, and is listed under the label `broken` only.
    WHAT is as for `channeld label`.
    """


@broken.command()
@click.argument("channel")
@what_argument
@reason_option
@dry_run_option
@json_option
@talks_to_server
def mark(client: Client, channel: str, what: Sequence[dict[str, str]], **options: Any) -> None:
    """Mark WHAT of CHANNEL as broken.

    Give a --reason: others will ask.
    """
    _carry_out(client, channel, what, add=[_BROKEN], **options)


@broken.command()
@click.argument("channel")
@what_argument
@reason_option
@dry_run_option
@json_option
@talks_to_server
def unmark(client: Client, channel: str, what: Sequence[dict[str, str]], **options: Any) -> None:
    """Bring WHAT of CHANNEL back."""
    _carry_out(client, channel, what, remove=[_BROKEN], **options)


@broken.command("list")
@click.argument("channel")
@json_option
@talks_to_server
def list_(client: Client, channel: str, as_json: bool) -> None:
    """List what is broken in CHANNEL."""
    from channeld.cli.filelist import every_file, print_files

    files = every_file(client, channel, {"broken": "true"})
    print_files(files, as_json=as_json)
    if not as_json:
        click.echo(counted(len(files), "broken file"), err=True)


def _carry_out(
    client: Client, channel: str, what: Sequence[dict[str, str]], *, as_json: bool, **order: Any
) -> None:
    from channeld.cli.labelling import Order, carry_out

    if not what:
        raise click.UsageError(
            "Say what: a file, a package or a package=version. See `channeld label --help`."
        )
    carry_out(client, Order(channel=channel, what=what, **order), as_json=as_json)
