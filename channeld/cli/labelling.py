"""What ``channeld label`` and ``channeld broken`` share: an order to put labels on files, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from channeld.cli.client import Client, path
from channeld.cli.output import counted, print_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Labels to put on files and to take off. ``label`` narrows ``what`` down; alone it means all that carry it."""

    channel: str
    what: Sequence[dict[str, str]]
    label: str = ""
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    reason: str = ""
    dry_run: bool = False

    def body(self) -> dict[str, Any]:
        """Return the order as the server takes it."""
        narrowed = {"label": self.label} if self.label else {}
        return {
            "files": [{**each, **narrowed} for each in self.what or ({},)],
            "add": list(self.add),
            "remove": list(self.remove),
            "reason": self.reason or None,
            "dry_run": self.dry_run,
        }


def carry_out(client: Client, order: Order, *, as_json: bool) -> None:
    """Send an order, and print what changed."""
    answer = client.ask("POST", path("channels", order.channel, "relabel"), order.body())
    if as_json:
        print_json(answer)
        return
    for change in answer["changes"]:
        before, after = (" ".join(change[when]) or "no label" for when in ("before", "after"))
        click.echo(f"{change['subdir']}/{change['filename']}: {before} -> {after}")
    if answer["changed"] > len(answer["changes"]):
        click.echo(f"and {answer['changed'] - len(answer['changes']):,} more")
    if not answer["changed"]:
        click.echo("Nothing to change: all of it is so already.")
    elif answer["dry_run"]:
        click.echo(f"{counted(answer['changed'], 'file')} would change. Nothing was changed.")
    else:
        click.echo(f"{counted(answer['changed'], 'file')} changed, in revision {answer['revision']}.")
