"""``channeld webhook``: have others told of what happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from channeld.cli.arguments import reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import counted, print_facts, print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client

_EVENTS: Final = ("published", "refused", "broken", "patched")
_STATES: Final = ("waiting", "delivered", "dead")

webhook_argument = click.argument("webhook_id", metavar="ID")


@click.group()
def webhook() -> None:
    """Have others told of what happens, by HTTP.

    \b
    Events:
      published  a file came into a channel, or under one more of its labels
      refused    a copy from staging was refused
      broken     a file was marked as broken, or the mark was taken off
      patched    another patch set is in force

    Messages are signed (Standard Webhooks), sent in order, and tried again for about a day.
    """


@webhook.command()
@click.argument("url")
@click.option(
    "--channel", "channels", default="*", metavar="PATTERN", show_default=True, help="Of which channels."
)
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(_EVENTS),
    help="Of which events; repeat it. All without it.",
)
@reason_option
@json_option
@talks_to_server
def create(
    client: Client, url: str, channels: str, events: Sequence[str], reason: str, as_json: bool
) -> None:
    """Have URL told of what happens from now on.

    The key of its signatures is printed this once.
    """
    body = {"url": url, "channels": channels, "events": list(events)}
    answer = client.ask("POST", "/webhooks", body, reason=reason)
    if as_json:
        print_json(answer)
        return
    click.echo(f"The key of the webhook {answer['webhook']['id']}, which is shown this once:", err=True)
    click.echo(answer["secret"])


@webhook.command("list")
@json_option
@talks_to_server
def list_(client: Client, as_json: bool) -> None:
    """List the webhooks, and how much was not delivered to them."""
    answer = client.ask("GET", "/webhooks")
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            each["id"],
            _state(each),
            each["waiting"],
            each["dead"],
            each["channels"],
            ",".join(each["events"]),
            each["url"],
        )
        for each in answer["webhooks"]
    ]
    print_table(("id", "state", "waiting", "dead", "channels", "events", "url"), rows)


@webhook.command()
@webhook_argument
@click.option("--state", type=click.Choice(_STATES), help="Only deliveries in this state.")
@click.option(
    "--limit", type=click.IntRange(0, 200), default=20, show_default=True, help="How many deliveries."
)
@json_option
@talks_to_server
def show(client: Client, webhook_id: str, state: str | None, limit: int, as_json: bool) -> None:
    """Show the webhook ID and its newest deliveries."""
    answer = client.ask("GET", _path(webhook_id), query={"state": state, "limit": str(limit)})
    if as_json:
        print_json(answer)
        return
    about = answer["webhook"]
    print_facts(
        [
            ("id", about["id"]),
            ("url", about["url"]),
            ("channels", about["channels"]),
            ("events", ", ".join(about["events"])),
            ("created", f"{about['created']} by {about['created_by']}"),
            ("state", f"paused since {about['paused']}" if about["paused"] else "at work"),
            ("waiting", about["waiting"]),
            ("dead", about["dead"]),
        ]
    )
    if answer["deliveries"]:
        click.echo()
        rows = [
            (each["id"], each["event"], each["at"], _progress(each), each["attempts"], each["problem"])
            for each in answer["deliveries"]
        ]
        print_table(("delivery", "event", "happened", "state", "attempts", "problem"), rows)


def _state(about: dict[str, Any]) -> str:
    return "paused" if about["paused"] else "at work"


def _progress(delivery: dict[str, Any]) -> str:
    if delivery["state"] == "waiting" and delivery["attempts"]:
        return f"tried again {delivery['next']}"
    return str(delivery["state"])


@webhook.command()
@webhook_argument
@reason_option
@talks_to_server
def pause(client: Client, webhook_id: str, reason: str) -> None:
    """Send nothing to the webhook ID. What happens meanwhile is kept for it."""
    client.ask("POST", _path(webhook_id, "pause"), reason=reason)
    click.echo(f"The webhook {webhook_id} is paused.")


@webhook.command()
@webhook_argument
@click.option(
    "--skip", is_flag=True, help="Leave out what was not delivered and what happened since the pause."
)
@reason_option
@talks_to_server
def resume(client: Client, webhook_id: str, skip: bool, reason: str) -> None:
    """Go on with the webhook ID."""
    client.ask("POST", _path(webhook_id, "resume"), {"skip": skip}, reason=reason)
    click.echo(f"The webhook {webhook_id} is at work.")


@webhook.command()
@webhook_argument
@click.argument("delivery", type=click.IntRange(min=1), required=False)
@reason_option
@talks_to_server
def retry(client: Client, webhook_id: str, delivery: int | None, reason: str) -> None:
    """Try again now what has not arrived at the webhook ID: one DELIVERY, or all that wait or were given up."""
    answer = client.ask("POST", _path(webhook_id, "retry"), {"delivery": delivery}, reason=reason)
    click.echo(f"{counted(answer['deliveries'], 'delivery is', 'deliveries are')} tried again now.")


@webhook.command()
@webhook_argument
@reason_option
@talks_to_server
def ping(client: Client, webhook_id: str, reason: str) -> None:
    """Send a test event to the webhook ID. `channeld webhook show` tells what became of it."""
    client.ask("POST", _path(webhook_id, "ping"), reason=reason)
    click.echo("The event ping is sent when its turn comes.")


@webhook.command()
@webhook_argument
@reason_option
@talks_to_server
def delete(client: Client, webhook_id: str, reason: str) -> None:
    """Delete the webhook ID, and forget its deliveries."""
    client.ask("DELETE", _path(webhook_id), reason=reason)
    click.echo(f"The webhook {webhook_id} is deleted.")


def _path(webhook_id: str, *rest: str) -> str:
    from channeld.cli.client import path

    return path("webhooks", webhook_id, *rest)
