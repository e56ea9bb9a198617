"""``channeld feedstock``: who publishes into a channel with tokens of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from channeld.cli.arguments import Duration, reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import counted, print_facts, print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client


@click.group()
def feedstock() -> None:
    """Register feedstocks, and make their tokens.

    A feedstock is a source of packages with a CI of its own. It publishes into a channel by asking for its packages
    to be copied there from the staging channel, with a token of its own, and only packages that are its own: see
    `channeld output --help`. Names are without -feedstock, or with it.
    """


@feedstock.command()
@click.argument("channel")
@click.argument("name")
@click.option(
    "--output", "outputs", multiple=True, metavar="NAME", help="A package that it may publish; repeat it."
)
@click.option(
    "--glob",
    "globs",
    multiple=True,
    metavar="GLOB",
    help="It may publish packages that match, such as 'libllvm*'; repeat it.",
)
@reason_option
@json_option
@talks_to_server
def register(
    client: Client,
    channel: str,
    name: str,
    outputs: Sequence[str],
    globs: Sequence[str],
    reason: str,
    as_json: bool,
) -> None:
    """Register the feedstock NAME, which publishes into CHANNEL.

    The same again adds outputs and globs that it does not have yet.
    """
    body = {"name": name, "outputs": list(outputs), "globs": list(globs)}
    _print(client.ask("POST", _path(channel), body, reason=reason), as_json)


@feedstock.command("list")
@click.argument("channel")
@click.option("--archived/--active", default=None, help="Only those that are archived, or only the others.")
@json_option
@talks_to_server
def list_(client: Client, channel: str, archived: bool | None, as_json: bool) -> None:
    """List the feedstocks of CHANNEL."""
    from channeld.cli.registrypages import every

    wanted = {} if archived is None else {"archived": str(archived).lower()}
    found = list(every(client, _path(channel), "feedstocks", wanted))
    if as_json:
        print_json({"feedstocks": found})
        return
    print_table(
        ("name", "registered", "archived"),
        [(each["name"], each["created"], each["archived"] or "-") for each in found],
    )


@feedstock.command()
@click.argument("channel")
@click.argument("name")
@json_option
@talks_to_server
def show(client: Client, channel: str, name: str, as_json: bool) -> None:
    """Show the feedstock NAME of CHANNEL."""
    _print(client.ask("GET", _path(channel, name)), as_json)


@feedstock.command()
@click.argument("channel")
@click.argument("name")
@reason_option
@json_option
@talks_to_server
def archive(client: Client, channel: str, name: str, reason: str, as_json: bool) -> None:
    """Have a feedstock publish nothing more. What is its own stays its own."""
    _print(client.ask("PATCH", _path(channel, name), {"archived": True}, reason=reason), as_json)


@feedstock.command()
@click.argument("channel")
@click.argument("name")
@reason_option
@json_option
@talks_to_server
def unarchive(client: Client, channel: str, name: str, reason: str, as_json: bool) -> None:
    """Let an archived feedstock publish again."""
    _print(client.ask("PATCH", _path(channel, name), {"archived": False}, reason=reason), as_json)


@feedstock.group()
def token() -> None:
    """Make, rotate, list and revoke the tokens of a feedstock.

    At most four tokens count at a time for one provider.
    """


_provider = click.option(
    "--provider",
    metavar="NAME",
    help="The CI service that may use it: azure, github_actions, … Without it, every one.",
)
_expires_in = click.option("--expires-in", type=Duration(), help="When it ends: 12h, 30d. Without it, never.")


@token.command()
@click.argument("channel")
@click.argument("name")
@_provider
@_expires_in
@reason_option
@json_option
@talks_to_server
def make(
    client: Client,
    channel: str,
    name: str,
    provider: str | None,
    expires_in: int | None,
    reason: str,
    as_json: bool,
) -> None:
    """Make a token for the feedstock NAME, besides those that it has.

    It is printed this once.
    """
    body = {"provider": provider, "expires_in_seconds": expires_in}
    _print_made(client.ask("POST", _path(channel, name, "tokens"), body, reason=reason), as_json)


@token.command()
@click.argument("channel")
@click.argument("name")
@_provider
@_expires_in
@click.option(
    "--overlap", type=Duration(), default=0, help="How long the old ones work on: 2h. Without it, not at all."
)
@reason_option
@json_option
@talks_to_server
def rotate(
    client: Client,
    channel: str,
    name: str,
    provider: str | None,
    expires_in: int | None,
    overlap: int,
    reason: str,
    as_json: bool,
) -> None:
    """Make a token for the feedstock NAME that replaces others.

    It replaces those of its provider and those for every provider; they end after the overlap. The new one is printed
    this once.
    """
    body = {"provider": provider, "expires_in_seconds": expires_in, "overlap_seconds": overlap}
    _print_made(client.ask("POST", _path(channel, name, "tokens"), body, reason=reason), as_json)


@token.command("list")
@click.argument("channel")
@click.argument("name")
@json_option
@talks_to_server
def list_tokens(client: Client, channel: str, name: str, as_json: bool) -> None:
    """List the tokens of a feedstock, also those that have ended."""
    answer = client.ask("GET", _path(channel, name, "tokens"))
    if as_json:
        print_json(answer)
        return
    rows = [
        (each["id"], each["provider"] or "-", _state(each), each["expires"] or "never", each["created"])
        for each in answer["tokens"]
    ]
    print_table(("id", "provider", "state", "expires", "created"), rows)


@token.command()
@click.argument("channel")
@click.argument("name")
@click.argument("token_id", metavar="[ID]", type=int, required=False)
@click.option("--all", "all_of_them", is_flag=True, help="All tokens of the feedstock.")
@reason_option
@json_option
@talks_to_server
def revoke(
    client: Client,
    channel: str,
    name: str,
    token_id: int | None,
    all_of_them: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Revoke the token ID of the feedstock NAME, at once and for ever."""
    if (token_id is None) != all_of_them:
        raise click.UsageError("Give the id of one token, or --all.")
    which = () if token_id is None else (str(token_id),)
    answer = client.ask("DELETE", _path(channel, name, "tokens", *which), reason=reason)
    if as_json:
        print_json(answer)
    elif all_of_them:
        click.echo(f"{counted(answer['revoked'], 'token')} of the feedstock {name} revoked.")
    else:
        click.echo(f"The token {token_id} of the feedstock {name} is revoked.")


@feedstock.command("import-tokens")
@click.argument("channel")
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True, path_type=Path)
)
@reason_option
@json_option
@talks_to_server
def import_tokens(client: Client, channel: str, paths: Sequence[Path], reason: str, as_json: bool) -> None:
    """Import tokens that conda-smithy made, as they are.

    PATH is a file named <feedstock>.json, or a folder of them. Feedstocks that are not registered are. The same again
    changes nothing, and brings nothing back that was revoked or rotated here.
    """
    from channeld.cli.tokenfiles import import_files

    done = import_files(client, channel, paths, reason)
    if as_json:
        print_json(done)
        return
    click.echo(
        f"{done['added']:,} added, {done['known']:,} known, {done['ended']:,} past their end; "
        f"{counted(done['registered'], 'feedstock')} registered."
    )


def _path(channel: str, *name: str) -> str:
    from channeld.cli.client import path

    return path("channels", channel, "feedstocks", *name)


def _print(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    print_facts(
        [
            ("name", state["name"]),
            ("registered", state["created"]),
            ("archived", state["archived"] or "no"),
            ("outputs", state["outputs"]),
            ("globs", state["globs"]),
            ("tokens", state["tokens"]),
        ]
    )


def _print_made(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    click.echo("The token, which is shown this once:", err=True)
    click.echo(answer["token"])


def _state(state: dict[str, Any]) -> str:
    if state["valid"]:
        return "valid"
    return "revoked" if state["revoked"] else "expired"
