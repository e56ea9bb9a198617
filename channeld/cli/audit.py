"""``channeld audit``: who changed what, and whether that record is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from channeld.cli.arguments import Moment
from channeld.cli.config import data_dir_option, settings_of_process, settings_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client

_EPILOG: Final = """\
\b
Examples:
  channeld audit --channel tools --since 2d               the last two days of a channel
  channeld audit --action 'channel.*' --actor 7kq2m4xw    what a token did to channels
  channeld audit --subject 'noarch/numpy-2.*' --long      with how it was, and how it is
  channeld audit --follow --json | ./notify               each change as a line, as it is made
  channeld audit head                                     what to note elsewhere
  channeld audit verify --head 1234:5f1c…                 is it all as it was then?
"""


class _ListByDefault(click.Group):
    """Takes what names no command for options of ``list``, and shows these with its own help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.commands["list"].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(cls=_ListByDefault, epilog=_EPILOG)
def audit() -> None:
    """Show who changed what, newest first; follow it; verify that it is as it was written.

    Without a command it lists, with the options below.
    """


_WANTED: Final = (
    click.option("--channel", help="Of this channel, also after it was deleted."),
    click.option(
        "--action", metavar="ACTION", help="Of this sort: file.add, or 'file.*' for all about files."
    ),
    click.option(
        "--actor", metavar="ID", help="By this token; by a local command, such as 'channeld import'."
    ),
    click.option("--subject", metavar="TEXT", help="Of this subject; * at the end for any rest."),
    click.option("--reason", metavar="TEXT", help="With this in the reason, in upper or lower case."),
    click.option(
        "--since", type=Moment(), help="Not before this date or time, or not longer ago: 2024-05-01, 2h."
    ),
    click.option("--until", type=Moment(), help="Before this date or time, or longer ago."),
)


@audit.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="The next ones after the change ID.")
@click.option("--follow", is_flag=True, help="Go on with what is changed from now on, once it is sealed.")
@click.option("--long", "as_blocks", is_flag=True, help="Show all of each change.")
@json_option
@talks_to_server
def list_(
    client: Client,
    limit: int,
    before: int | None,
    follow: bool,
    as_blocks: bool,
    as_json: bool,
    **wanted: str | None,
) -> None:
    """List changes, newest first; with --follow oldest first, and with --json one a line."""
    from channeld.cli import auditlines

    if follow:
        if before is not None:
            raise click.UsageError("--follow goes forward, and --before back: give one of them.")
        show = (
            auditlines.print_line
            if as_json
            else auditlines.print_block
            if as_blocks
            else auditlines.print_row
        )
        auditlines.follow(client, wanted, limit, show)
        return
    answer = client.ask("GET", "/audit", query={**wanted, "limit": limit, "before": before})
    if as_json:
        print_json(answer)
        return
    _print(answer["entries"], as_blocks)
    if answer["next"] is not None:
        click.echo(f"Older ones: --before {answer['next']}", err=True)


for _option in reversed(_WANTED):
    list_ = _option(list_)


def _print(entries: list[dict[str, Any]], as_blocks: bool) -> None:
    from channeld.cli import auditlines

    if as_blocks:
        for entry in entries:
            auditlines.print_block(entry)
    else:
        print_table(("id", *auditlines.HEADS), ((entry["id"], *auditlines.cells(entry)) for entry in entries))


@audit.command()
@json_option
@talks_to_server
def head(client: Client, as_json: bool) -> None:
    """Show the head of the chain: note it elsewhere, and give it to `channeld audit verify` later."""
    answer = client.ask("GET", "/audit/head")
    if as_json:
        print_json(answer)
        return
    print_facts(
        [
            ("head", answer["head"]),
            ("sealed", answer["sealed"] or "nothing yet"),
            ("waiting", f"{answer['waiting']:,}"),
        ]
    )


@audit.command()
@settings_option
@data_dir_option
@click.option(
    "--head", "noted", metavar="HEAD", help="The head that was noted earlier: its end was not cut off."
)
@json_option
def verify(path: Path | None, data_dir: Path | None, noted: str | None, as_json: bool) -> None:
    """Verify that nobody changed the audit, on the server's own machine or a restored backup.

    Every row is compared with its seal, and every seal with the one before it. That the end was not cut off, or all of
    it sealed anew by somebody who may write to the database, only a head tells that was noted elsewhere: the log has
    one for every hour, and `channeld audit head` shows it. Works without a server, and beside one.

    \b
    Exit status:
      0  everything is as it was sealed
      1  it could not be verified: the reason is on standard error
      3  the database cannot be reached now
      4  something was changed, dropped, put in or cut off: each is told on a line
    """
    from channeld.cli.auditverifying import run

    raise SystemExit(run(settings_of_process(path, data_dir), noted, as_json))
