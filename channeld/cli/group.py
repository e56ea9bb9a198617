"""The group that loads a command's module only when the command is called, and turns errors into exit statuses."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from channeld import __version__
from channeld.cli.failures import failures_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: under which heading it is listed, and where it is, as ``module:attribute``."""

    heading: str
    name: str
    place: str
    summary: str


class CommandGroup(click.Group):
    """Lists its commands under headings without loading any of them."""

    def __init__(self, name: str, *, entries: Sequence[Entry], **options: Any) -> None:
        super().__init__(name, **options)
        self._entries = {entry.name: entry for entry in entries}
        click.version_option(__version__, prog_name=name, message="%(prog)s %(version)s")(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.place.partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise click.ClickException(f"This channeld has no command {cmd_name!r}.") from None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading in dict.fromkeys(entry.heading for entry in self._entries.values()):
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (entry.name, entry.summary)
                        for entry in self._entries.values()
                        if entry.heading == heading
                    ]
                )

    def invoke(self, ctx: click.Context) -> Any:
        with failures_of():
            return super().invoke(ctx)
