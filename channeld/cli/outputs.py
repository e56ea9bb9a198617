"""``channeld output``: which feedstock may publish which package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from channeld.cli.arguments import reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import counted, print_facts, print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client

_entries = click.argument("entries", nargs=-1, required=True, metavar="NAME|GLOB...")
_feedstock_option = click.option("--feedstock", metavar="NAME", help="Only those of this feedstock.")


@click.group()
def output() -> None:
    """Say which feedstock may publish which package.

    An output is a package by its name. It belongs to the feedstocks that it is registered for. A new name of a
    feedstock is refused until somebody registers it, or one of the feedstock's globs matches it: `libllvm*` makes
    libllvm19 its own with the first copy.
    """


@output.command("list")
@click.argument("channel")
@_feedstock_option
@json_option
@talks_to_server
def list_(client: Client, channel: str, feedstock: str | None, as_json: bool) -> None:
    """List the outputs of CHANNEL, each with the feedstocks that it is registered for."""
    from channeld.cli.registrypages import every

    found = list(every(client, _path(channel, "outputs"), "outputs", {"feedstock": feedstock}))
    if as_json:
        print_json({"outputs": found})
        return
    print_table(("output", "feedstocks"), [(each["name"], " ".join(each["feedstocks"])) for each in found])


@output.command()
@click.argument("channel")
@_feedstock_option
@json_option
@talks_to_server
def globs(client: Client, channel: str, feedstock: str | None, as_json: bool) -> None:
    """List the globs of CHANNEL."""
    from channeld.cli.registrypages import every

    found = list(every(client, _path(channel, "globs"), "globs", {"feedstock": feedstock}))
    if as_json:
        print_json({"globs": found})
        return
    print_table(("feedstock", "glob"), [(each["feedstock"], each["glob"]) for each in found])


@output.command()
@click.argument("channel")
@click.argument("name")
@json_option
@talks_to_server
def show(client: Client, channel: str, name: str, as_json: bool) -> None:
    """Tell who may publish the package NAME into CHANNEL."""
    answer = client.ask("GET", _path(channel, "outputs", name))
    if as_json:
        print_json(answer)
        return
    matched = ", ".join(f"{each['feedstock']} ({each['glob']})" for each in answer["matched"])
    print_facts(
        [
            ("name", answer["name"]),
            ("may publish", " ".join(answer["feedstocks"]) or "nobody"),
            ("registered", " ".join(answer["registered"]) or "-"),
            ("matched", matched or "-"),
        ]
    )


@output.command()
@click.argument("channel")
@click.argument("feedstock")
@_entries
@reason_option
@json_option
@talks_to_server
def add(
    client: Client, channel: str, feedstock: str, entries: Sequence[str], reason: str, as_json: bool
) -> None:
    """Register outputs and globs for FEEDSTOCK.

    What has one of the characters * ? [ ] ! in it is a glob; quote it. All of them are registered or none.
    """
    from channeld.promotion.globs import is_glob

    body = {
        "feedstock": feedstock,
        "outputs": [entry for entry in entries if not is_glob(entry)],
        "globs": [entry for entry in entries if is_glob(entry)],
    }
    _print_done(client.ask("POST", _path(channel, "outputs"), body, reason=reason), as_json)


@output.command()
@click.argument("channel")
@click.argument("feedstock")
@_entries
@reason_option
@talks_to_server
def remove(client: Client, channel: str, feedstock: str, entries: Sequence[str], reason: str) -> None:
    """Take outputs and globs from FEEDSTOCK, one after the other."""
    from channeld.promotion.globs import is_glob

    for entry in entries:
        if is_glob(entry):
            query = {"feedstock": feedstock, "glob": entry}
            client.ask("DELETE", _path(channel, "globs"), query=query, reason=reason)
        else:
            query = {"feedstock": feedstock}
            client.ask("DELETE", _path(channel, "outputs", entry), query=query, reason=reason)
        click.echo(f"{entry} is no longer the feedstock {feedstock}'s.")


@output.command("import")
@click.argument("channel")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@reason_option
@json_option
@talks_to_server
def import_(client: Client, channel: str, folder: Path, reason: str, as_json: bool) -> None:
    """Import conda-forge's feedstock-outputs repository from FOLDER.

    That is outputs/n/u/m/numpy.json and so on, and feedstock_outputs_autoreg_allowlist.yml. Feedstocks that are not
    registered are. Nothing is taken away; the same again changes nothing.
    """
    from channeld.cli.registryfiles import import_folder

    _print_done(import_folder(client, channel, folder, reason), as_json)


@output.command()
@click.argument("channel")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@json_option
@talks_to_server
def export(client: Client, channel: str, folder: Path, as_json: bool) -> None:
    """Write outputs and globs of CHANNEL into FOLDER, as conda-forge's feedstock-outputs repository has them.

    What FOLDER has already is changed where it says something else: only such files are written or deleted.
    """
    from channeld.cli.registryfiles import export_folder

    done = export_folder(client, channel, folder)
    if as_json:
        print_json(done)
        return
    click.echo(f"{counted(done['written'], 'file')} written, {done['deleted']:,} deleted.")


def _path(channel: str, *rest: str) -> str:
    from channeld.cli.client import path

    return path("channels", channel, *rest)


def _print_done(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    click.echo(
        f"{counted(done['outputs'], 'output')} and {counted(done['globs'], 'glob')} registered, "
        f"and {counted(done['feedstocks'], 'feedstock')}."
    )
