"""``channeld label``: labels, and which files carry them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from channeld.cli.arguments import dry_run_option, reason_option, what_argument
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import print_facts, print_json, print_table, yes

if TYPE_CHECKING:
    from channeld.cli.client import Client

_from = click.option(
    "--from", "source", required=True, metavar="LABEL", help="The label that the files carry."
)
_to = click.option(
    "--to", "targets", required=True, multiple=True, metavar="LABEL", help="A label that they get; repeat it."
)

What = Sequence[dict[str, str]]


@click.group()
def label() -> None:
    """Put labels on packages and take them off.

    \b
    WHAT names files of a channel:
      numpy-2.1.0-py313_0.conda            a file
      linux-64/numpy-2.1.0-py313_0.conda   a file of one subdir
      numpy=2.1.0                          a version
      numpy                                a package

    Without it, --from means everything that carries the label. All of it happens at once or not at all, and asking
    twice changes nothing the second time.
    """


@label.command("list")
@click.argument("channel")
@json_option
@talks_to_server
def list_(client: Client, channel: str, as_json: bool) -> None:
    """List the labels of CHANNEL."""
    answer = client.ask("GET", _path(channel))
    if as_json:
        print_json(answer)
        return
    rows = [
        (each["name"], each["files"], yes(each["locked"]), each["created"], each["url"])
        for each in answer["labels"]
    ]
    print_table(("name", "files", "locked", "created", "url"), rows)


@label.command()
@click.argument("channel")
@click.argument("name")
@json_option
@talks_to_server
def show(client: Client, channel: str, name: str, as_json: bool) -> None:
    """Show the label NAME of CHANNEL."""
    _print(client.ask("GET", _path(channel, name)), as_json)


@label.command()
@click.argument("channel")
@click.argument("name")
@reason_option
@json_option
@talks_to_server
def create(client: Client, channel: str, name: str, reason: str, as_json: bool) -> None:
    """Create the label NAME in CHANNEL."""
    _print(client.ask("POST", _path(channel), {"name": name}, reason=reason), as_json)


@label.command()
@click.argument("channel")
@click.argument("name")
@reason_option
@json_option
@talks_to_server
def lock(client: Client, channel: str, name: str, reason: str, as_json: bool) -> None:
    """Lock a label: files neither get nor lose it."""
    _print(client.ask("PATCH", _path(channel, name), {"locked": True}, reason=reason), as_json)


@label.command()
@click.argument("channel")
@click.argument("name")
@reason_option
@json_option
@talks_to_server
def unlock(client: Client, channel: str, name: str, reason: str, as_json: bool) -> None:
    """Unlock a label."""
    _print(client.ask("PATCH", _path(channel, name), {"locked": False}, reason=reason), as_json)


@label.command()
@click.argument("channel")
@click.argument("name")
@click.option(
    "--base", metavar="REFERENCE", help="A channel to be preferred to this one, such as ../conda-forge."
)
@click.option("--overrides", metavar="REFERENCE", help="A channel that this one is preferred to.")
@click.option("--none", "ended", is_flag=True, help="End all relations.")
@reason_option
@json_option
@talks_to_server
def relate(
    client: Client,
    channel: str,
    name: str,
    base: str | None,
    overrides: str | None,
    ended: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Relate a label to other channels (CEP 42).

    The label `main` of CHANNEL stands for the channel itself.
    """
    given = {"base": base, "overrides": overrides}
    relations = {kind: reference for kind, reference in given.items() if reference is not None}
    if bool(relations) == ended:
        raise click.UsageError("Give --base, --overrides or both; or --none.")
    _print(client.ask("PATCH", _path(channel, name), {"relations": relations}, reason=reason), as_json)


@label.command()
@click.argument("channel")
@click.argument("name")
@reason_option
@talks_to_server
def delete(client: Client, channel: str, name: str, reason: str) -> None:
    """Delete a label. Its files stay."""
    client.ask("DELETE", _path(channel, name), reason=reason)
    click.echo(f"The label {name} of the channel {channel} is deleted.")


@label.command()
@click.argument("channel")
@what_argument
@_to
@reason_option
@dry_run_option
@json_option
@talks_to_server
def add(client: Client, channel: str, what: What, targets: Sequence[str], **options: Any) -> None:
    """Put labels on files: on WHAT of CHANNEL."""
    if not what:
        raise click.UsageError(
            "Say on what: a file, a package or a package=version. See `channeld label --help`."
        )
    _carry_out(client, channel, what, add=targets, **options)


@label.command()
@click.argument("channel")
@what_argument
@_from
@reason_option
@dry_run_option
@json_option
@talks_to_server
def remove(client: Client, channel: str, what: What, source: str, **options: Any) -> None:
    """Take a label off files.

    That is WHAT of CHANNEL, or all that carries the label.
    """
    _carry_out(client, channel, what, label="" if what else source, remove=[source], **options)


@label.command()
@click.argument("channel")
@what_argument
@_from
@_to
@reason_option
@dry_run_option
@json_option
@talks_to_server
def copy(
    client: Client, channel: str, what: What, source: str, targets: Sequence[str], **options: Any
) -> None:
    """Put labels on what carries another one.

    That is all of CHANNEL that carries it, or WHAT of it.
    """
    _carry_out(client, channel, what, label=source, add=targets, **options)


@label.command()
@click.argument("channel")
@what_argument
@_from
@_to
@reason_option
@dry_run_option
@json_option
@talks_to_server
def move(
    client: Client, channel: str, what: What, source: str, targets: Sequence[str], **options: Any
) -> None:
    """Put labels on what carries another one, which is taken off.

    That is all of CHANNEL that carries it, or WHAT of it.
    """
    _carry_out(client, channel, what, label=source, add=targets, remove=[source], **options)


def _carry_out(client: Client, channel: str, what: What, *, as_json: bool, **order: Any) -> None:
    from channeld.cli.labelling import Order, carry_out

    carry_out(client, Order(channel=channel, what=what, **order), as_json=as_json)


def _path(channel: str, *name: str) -> str:
    from channeld.cli.client import path

    return path("channels", channel, "labels", *name)


def _print(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    relations = ", ".join(f"{kind} {reference}" for kind, reference in state["relations"].items())
    print_facts(
        [
            ("name", state["name"]),
            ("url", state["url"]),
            ("files", state["files"]),
            ("locked", yes(state["locked"])),
            ("relations", relations or "none"),
            ("created", state["created"]),
        ]
    )
