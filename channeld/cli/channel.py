"""``channeld channel``: create, configure and delete channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from channeld.cli.arguments import reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import clean, print_facts, print_json, print_table, yes

if TYPE_CHECKING:
    from channeld.cli.client import Client


@click.group()
def channel() -> None:
    """Create, configure and delete channels."""


_private = click.option("--private/--public", default=None, help="Whether reading needs a token.")
_legacy = click.option(
    "--legacy",
    type=click.Choice(["refuse", "allow"]),
    help="Whether packages come in that break today's naming rules.",
)
_subdirs = click.option(
    "--subdir",
    "subdirs",
    multiple=True,
    metavar="SUBDIR",
    help="A subdir that answers from the start; repeat it.",
)
_description = click.option("--description", metavar="TEXT", help="What the channel is for.")

_promotes_to = click.option(
    "--promotes-to", metavar="CHANNEL", help="Of a staging channel: where its candidates are promoted into."
)
_copies_by_md5 = click.option(
    "--copies-by-md5",
    type=click.Choice(["refuse", "allow"]),
    help="Whether a copy into the channel may name bytes by their md5 alone.",
)


@channel.command("list")
@json_option
@talks_to_server
def list_(client: Client, as_json: bool) -> None:
    """List the channels that the token may read."""
    answer = client.ask("GET", "/channels")
    if as_json:
        print_json(answer)
        return
    rows = [
        (each["name"], each["kind"], "private" if each["private"] else "public", each["description"])
        for each in answer["channels"]
    ]
    print_table(("name", "kind", "access", "description"), rows)


@channel.command()
@click.argument("name")
@click.option("--staging", is_flag=True, help="Several candidates may share a file name. For life.")
@_private
@_legacy
@_subdirs
@_description
@_promotes_to
@_copies_by_md5
@reason_option
@json_option
@talks_to_server
def create(client: Client, name: str, staging: bool, as_json: bool, reason: str, **chosen: Any) -> None:
    """Create the channel NAME.

    Creating it again with the same settings changes nothing.
    """
    body = {"name": name, **_given(chosen)}
    if staging:
        body["kind"] = "staging"
    answer = client.ask("POST", "/channels", body, reason=reason)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"The channel {name} is at {answer['url']}")


@channel.command()
@click.argument("name")
@json_option
@talks_to_server
def show(client: Client, name: str, as_json: bool) -> None:
    """Show the channel NAME."""
    _print(client.ask("GET", _path(name)), as_json)


@channel.command()
@click.argument("name")
@_private
@_legacy
@_subdirs
@_description
@_promotes_to
@_copies_by_md5
@reason_option
@json_option
@talks_to_server
def configure(client: Client, name: str, as_json: bool, reason: str, **chosen: Any) -> None:
    """Change the channel NAME.

    What is not named stays. --subdir names all subdirs anew.
    """
    body = _given(chosen)
    if not body:
        raise click.UsageError("Nothing is to be changed. See --help for what can be.")
    _print(client.ask("PATCH", _path(name), body, reason=reason), as_json)


@channel.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Delete it with all its files.")
@click.option("--yes", "sure", is_flag=True, help="Do not ask.")
@reason_option
@talks_to_server
def delete(client: Client, name: str, force: bool, sure: bool, reason: str) -> None:
    """Delete the channel NAME."""
    if force and not sure:
        click.confirm(f"Delete the channel {name} with all its files?", abort=True, err=True)
    client.ask("DELETE", _path(name), query={"force": "true" if force else None}, reason=reason)
    click.echo(f"The channel {name} is deleted.")


def _path(name: str) -> str:
    from channeld.cli.client import path

    return path("channels", name)


def _given(chosen: dict[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if name == "subdirs" else value
        for name, value in chosen.items()
        if value not in (None, ())
    }


def _print(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    print_facts(
        [
            ("name", state["name"]),
            ("url", state["url"]),
            ("kind", state["kind"]),
            ("private", yes(state["private"])),
            ("legacy packages", state["legacy"]),
            ("promotes to", state["promotes_to"] or "-"),
            ("copies by md5", state["copies_by_md5"]),
            ("subdirs", " ".join(state["subdirs"])),
            ("revision", state["revision"]),
            ("created", state["created"]),
            ("description", clean(state["description"])),
        ]
    )
