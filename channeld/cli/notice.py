"""``channeld notice``: tell the users of a channel something (CEP 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from channeld.cli.arguments import Duration, reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client


@click.group()
def notice() -> None:
    """Tell the users of a channel something: conda shows it once to each."""


@notice.command()
@click.argument("channel")
@click.argument("message")
@click.option(
    "--level", type=click.Choice(["info", "warning", "critical"]), default="info", show_default=True
)
@click.option("--id", "notice_id", help="Its id; a notice with the same one is replaced.")
@click.option(
    "--for", "lasts", type=Duration(), default="30d", show_default=True, help="For how long it hangs."
)
@reason_option
@json_option
@talks_to_server
def add(
    client: Client,
    channel: str,
    message: str,
    level: str,
    notice_id: str | None,
    lasts: int,
    reason: str,
    as_json: bool,
) -> None:
    """Put up MESSAGE in CHANNEL."""
    body = {"message": message, "level": level, "id": notice_id, "expires_in_seconds": lasts}
    answer = client.ask("POST", _path(channel), body, reason=reason)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"The notice {answer['id']} hangs until {answer['expires_at']}.")


@notice.command("list")
@click.argument("channel")
@click.option("--expired", is_flag=True, help="Those that have expired, too.")
@json_option
@talks_to_server
def list_(client: Client, channel: str, expired: bool, as_json: bool) -> None:
    """List the notices of CHANNEL."""
    answer = client.ask("GET", _path(channel), query={"expired": "true" if expired else None})
    if as_json:
        print_json(answer)
        return
    rows = [
        (each["id"], each["level"], each["expires_at"] if each["current"] else "expired", each["message"])
        for each in answer["notices"]
    ]
    print_table(("id", "level", "until", "message"), rows)


@notice.command()
@click.argument("channel")
@click.argument("notice_id", metavar="ID")
@reason_option
@talks_to_server
def expire(client: Client, channel: str, notice_id: str, reason: str) -> None:
    """Take the notice ID of CHANNEL down."""
    client.ask("DELETE", _path(channel, notice_id), reason=reason)
    click.echo(f"The notice {notice_id} has expired.")


def _path(channel: str, *notice_id: str) -> str:
    from channeld.cli.client import path

    return path("channels", channel, "notices", *notice_id)
