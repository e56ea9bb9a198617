"""``channeld audit``: who changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client


@click.command()
@click.option("--channel", help="Of this channel, also after it was deleted.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Older than the change ID.")
@json_option
@talks_to_server
def audit(client: Client, channel: str | None, limit: int, before: int | None, as_json: bool) -> None:
    """Show who changed what, newest first."""
    answer = client.ask("GET", "/audit", query={"channel": channel, "limit": limit, "before": before})
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            each["id"],
            each["at"],
            each["actor"],
            each["action"],
            f"{each['channel']} {each['subject']}".strip(),
            each["reason"],
        )
        for each in answer["entries"]
    ]
    print_table(("id", "at", "actor", "action", "what", "reason"), rows)
    if answer["next"] is not None:
        click.echo(f"Older ones: --before {answer['next']}", err=True)
