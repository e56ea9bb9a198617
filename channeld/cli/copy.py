"""``channeld copy``: packages from a staging channel into production."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from channeld.cli.arguments import OutputToCopy, reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.failures import Refused
from channeld.cli.output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client


@click.group()
def copy() -> None:
    """Promote packages from a staging channel.

    A copy names packages by their hashes. It succeeds as a whole or not at all; asking again is safe.
    """


@copy.command()
@click.argument("channel")
@click.argument("outputs", nargs=-1, required=True, type=OutputToCopy(), metavar="SUBDIR/FILE[=SHA256]...")
@click.option("--label", default="main", show_default=True, help="The label that they carry, and keep.")
@click.option("--from", "staging", metavar="CHANNEL", help="By default the channel that promotes to CHANNEL.")
@click.option("--feedstock", metavar="NAME", help="In the name of this feedstock, with a token of its own.")
@click.option(
    "--feedstock-token-file",
    envvar="CHANNELD_FEEDSTOCK_TOKEN_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File that holds the feedstock's token. Without it, the token is in FEEDSTOCK_TOKEN.",
)
@click.option("--provider", help="The CI service that asks, for tokens that are for one of them.")
@click.option("--survivors", is_flag=True, help="Copy what is in order when some are refused.")
@click.option("--dry-run", is_flag=True, help="Tell what would become of it, and change nothing.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end; see `channeld copy show`.")
@reason_option
@json_option
@talks_to_server
def start(
    client: Client,
    channel: str,
    outputs: Sequence[tuple[str, str]],
    label: str,
    staging: str | None,
    feedstock: str | None,
    feedstock_token_file: Path | None,
    provider: str | None,
    survivors: bool,
    dry_run: bool,
    no_wait: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Copy packages into CHANNEL.

    \b
    By hand, with a token of the server that may upload there:
      channeld copy start conda-forge noarch/tool-1.0-0.conda --from cf-staging
    In the name of a feedstock, from its CI:
      channeld copy start conda-forge noarch/tool-1.0-0.conda=4f1c... --feedstock tool

    Without a hash, staging must have one package of that name under the label.
    """
    from channeld.cli.copying import Order, feedstock_token, send

    order = Order(
        channel=channel,
        outputs=outputs,
        label=label,
        staging=staging or "",
        feedstock=feedstock or "",
        token=feedstock_token(feedstock_token_file) if feedstock else "",
        provider=provider,
        extent="survivors" if survivors else "all",
        dry_run=dry_run,
        waits=not no_wait,
        reason=reason,
    )
    try:
        state = send(client, order)
    except Refused as refusal:
        if refusal.code == "copy_refused" and as_json:
            print_json(refusal.data)
        elif refusal.code == "copy_refused":
            for error in refusal.data["errors"]:
                click.echo(error)
        raise
    _print(state, as_json)


@copy.command()
@click.argument("channel")
@click.argument("copy_id", metavar="ID")
@json_option
@talks_to_server
def show(client: Client, channel: str, copy_id: str, as_json: bool) -> None:
    """Show how far the copy ID into CHANNEL has come, and why something was refused."""
    from channeld.cli.client import path

    _print(client.ask("GET", path("channels", channel, "copies", copy_id)), as_json)


@copy.command("list")
@click.argument("channel")
@click.option("--feedstock", help="Of this feedstock.")
@click.option("--state", help="In this state: pinned, checked, done, partly, refused or failed.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@json_option
@talks_to_server
def list_(
    client: Client, channel: str, feedstock: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """List copies into CHANNEL, newest first."""
    from channeld.cli.client import path

    query = {"feedstock": feedstock, "state": state, "limit": limit}
    answer = client.ask("GET", path("channels", channel, "copies"), query=query)
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            each["id"],
            each["times"].get("pinned") or each["finished"],
            each["state"],
            each["feedstock"] or "by hand",
            each["label"],
            len(each["outputs"]),
            "; ".join(each["errors"])[:80],
        )
        for each in answer["copies"]
    ]
    print_table(("id", "at", "state", "feedstock", "label", "packages", "errors"), rows)


def _print(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    facts = [
        ("copy", state["id"] or "none: a dry run"),
        ("state", state["state"]),
        ("from", state["staging"]),
        ("to", f"{state['channel']}, label {state['label']}"),
        ("feedstock", state["feedstock"] or "none: by hand"),
        ("revision", state["revision"] or "none"),
        ("trouble", state["trouble"]),
    ]
    print_facts((name, value) for name, value in facts if value)
    rows = [(each["output"], each["state"], each["sha256"], each["reason"]) for each in state["outputs"]]
    print_table(("output", "state", "sha256", "reason"), rows)
