"""``channeld token``: who may do what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from channeld.cli.arguments import Duration, reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client

_RIGHTS: Final = ("read", "upload", "label", "delete", "configure", "admin")


@click.group()
def token() -> None:
    """Create, list and revoke tokens.

    \b
    Rights:
      read       see private channels
      upload     put new files under labels
      label      put labels on files that are there, also `broken`
      delete     delete files
      configure  change channels and labels as such, put notices up
      admin      create and delete channels; on everything: tokens, too
    """


@token.command()
@click.argument("name")
@click.option(
    "--right", "rights", multiple=True, type=click.Choice(_RIGHTS), help="What it may do; repeat it."
)
@click.option("--channel", default="*", metavar="PATTERN", help="On which channels; * stands for anything.")
@click.option("--label", default="*", metavar="PATTERN", help="On which labels.")
@click.option("--package", default="*", metavar="PATTERN", help="On which packages.")
@click.option(
    "--grant",
    "grants",
    multiple=True,
    metavar="JSON",
    help='Another set of rights: {"verbs": ["upload"], "channels": "team-*"}; repeat it.',
)
@click.option("--expires-in", type=Duration(), help="When it ends: 12h, 30d. Without it, never.")
@reason_option
@json_option
@talks_to_server
def create(
    client: Client,
    name: str,
    rights: Sequence[str],
    channel: str,
    label: str,
    package: str,
    grants: Sequence[str],
    expires_in: int | None,
    reason: str,
    as_json: bool,
) -> None:
    """Create a token, which people call NAME.

    It is printed this once.
    """
    wanted = [_parsed(grant) for grant in grants]
    if rights:
        wanted.insert(0, {"verbs": list(rights), "channels": channel, "labels": label, "packages": package})
    if not wanted:
        raise click.UsageError("Say what the token may do: --right or --grant.")
    body = {"name": name, "grants": wanted, "expires_in_seconds": expires_in}
    answer = client.ask("POST", "/tokens", body, reason=reason)
    if as_json:
        print_json(answer)
        return
    click.echo("The token, which is shown this once:", err=True)
    click.echo(answer["token"])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}", param_hint="--grant") from None


@token.command("list")
@json_option
@talks_to_server
def list_(client: Client, as_json: bool) -> None:
    """List all tokens, also those that have ended."""
    answer = client.ask("GET", "/tokens")
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            each["id"],
            each["name"],
            _state(each),
            each["created"],
            each["expires"] or "never",
            "; ".join(map(_grant, each["grants"])),
        )
        for each in answer["tokens"]
    ]
    print_table(("id", "name", "state", "created", "expires", "may"), rows)


@token.command()
@click.argument("token_id", metavar="[ID]", required=False)
@json_option
@talks_to_server
def show(client: Client, token_id: str | None, as_json: bool) -> None:
    """Show a token: ID, or the one in use."""
    from channeld.cli.client import path

    _print(client.ask("GET", "/token" if token_id is None else path("tokens", token_id)), as_json)


@token.command()
@click.argument("token_id", metavar="ID")
@reason_option
@json_option
@talks_to_server
def revoke(client: Client, token_id: str, reason: str, as_json: bool) -> None:
    """Revoke the token ID, at once and for ever."""
    from channeld.cli.client import path

    _print(client.ask("DELETE", path("tokens", token_id), reason=reason), as_json)


def _print(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    print_facts(
        [
            ("id", state["id"]),
            ("name", state["name"]),
            ("state", _state(state)),
            ("created", f"{state['created']} by {state['created_by']}"),
            ("expires", state["expires"] or "never"),
            *(("may", _grant(grant)) for grant in state["grants"]),
        ]
    )


def _state(state: dict[str, Any]) -> str:
    if state["valid"]:
        return "valid"
    return "revoked" if state["revoked"] else "expired"


def _grant(grant: dict[str, Any]) -> str:
    narrowed = "".join(
        f", {kind} {grant[kind]}" for kind in ("channels", "labels", "packages") if grant[kind] != "*"
    )
    return f"{' '.join(grant['verbs'])}{narrowed}"
