"""How commands print: tables and sentences for people, JSON for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def print_json(value: Any) -> None:
    """Print one value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns as wide as they need."""
    lines = [[clean(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    for line in ([head.upper() for head in heads], *lines):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line."""
    pairs = [(name, clean(str(value))) for name, value in facts]
    width = max(len(name) for name, _ in pairs) + 1
    for name, value in pairs:
        click.echo(f"{name + ':':<{width}} {value}".rstrip())


def clean(text: str) -> str:
    """Replace what could command a terminal: descriptions and reasons are written by anybody with a token."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def counted(number: int, one: str, many: str = "") -> str:
    """Write how many there are of something."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def yes(value: bool) -> str:
    """Write yes or no."""
    return "yes" if value else "no"
