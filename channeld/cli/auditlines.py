"""How single changes are printed, and following them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from channeld.cli.failures import NotNow
from channeld.cli.output import clean, print_facts

if TYPE_CHECKING:
    from channeld.cli.client import Client

HEADS: Final = ("at", "actor", "action", "what", "reason")

_POLL_SECONDS: Final = 1.0
#: Between attempts while the server is away.
_AWAY_SECONDS: Final = 5.0
_PAGE: Final = 1000
_PAUSE: Callable[[float], None] = time.sleep

Show = Callable[[Mapping[str, Any]], None]


def cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a line shows of a change."""
    what = f"{entry['channel']} {entry['subject']}".strip()
    return entry["at"], entry["actor"], entry["action"], what, entry["reason"]


def print_row(entry: Mapping[str, Any]) -> None:
    """Print a change on a line."""
    click.echo("  ".join(map(clean, cells(entry))).rstrip())


def print_line(entry: Mapping[str, Any]) -> None:
    """Print a change as JSON on a line."""
    click.echo(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))


def print_block(entry: Mapping[str, Any]) -> None:
    """Print all of a change."""
    facts = [(name, _text(entry[name])) for name in ("id", "at", "action", "channel", "subject")]
    facts += [(name, _text(entry[name])) for name in ("before", "after", "actor", "origin", "reason")]
    print_facts((name, text) for name, text in facts if text)
    click.echo()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def follow(
    client: Client,
    wanted: Mapping[str, str | None],
    limit: int,
    show: Show,
) -> None:
    """Show the last changes and then each further one, oldest first, until the user has enough."""
    try:
        reached = client.ask("GET", "/audit/head")["last_id"]
        last = client.ask("GET", "/audit", query={**wanted, "limit": limit})["entries"]
        for entry in reversed(last):
            if entry["id"] <= reached:  # what is not sealed comes below
                show(entry)
        while True:
            page = _ask(client, {**wanted, "after": reached, "limit": _PAGE})
            for entry in page["entries"]:
                show(entry)
            if page["next"] == reached:
                _PAUSE(_POLL_SECONDS)
            reached = page["next"]
    except KeyboardInterrupt:
        return


def _ask(client: Client, query: Mapping[str, Any]) -> Any:
    """Ask until there is an answer: a server that starts anew is no reason to stop."""
    told = False
    while True:
        try:
            return client.ask("GET", "/audit", query=query)
        except NotNow as trouble:
            if not told:
                click.echo(f"{trouble.message} Trying again.", err=True)
            told = True
            _PAUSE(_AWAY_SECONDS)
