"""``channeld config``: what can be set, and what is set."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from textwrap import fill

import click

from channeld.logs import redact
from channeld.settings import Settings, load
from channeld.settings.reference import SettingDoc, describe, sections, toml_value

#: For every command that needs the settings; gives it ``path``.
settings_option = click.option(
    "--config",
    "path",
    envvar="CHANNELD_CONFIG",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Settings file (TOML). Also CHANNELD_CONFIG. Without one the defaults hold.",
)


#: For every command that works on the data folder itself; gives it ``data_dir``.
data_dir_option = click.option(
    "--data-dir",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of all that is stored, instead of storage.data_dir.",
)


def settings_of_process(path: Path | None, data_dir: Path | None = None) -> Settings:
    """Load the settings with the environment of this process; a data folder that is given goes before theirs."""
    settings = load(path, os.environ)
    if data_dir is None:
        return settings
    return replace(settings, storage=replace(settings.storage, data_dir=data_dir))


@click.group()
def config() -> None:
    """Check the settings, show them, and print their reference."""


@config.command()
@settings_option
def check(path: Path | None) -> None:
    """Check the settings file and the variables, and start nothing. Exits with 1 at the first mistake."""
    settings_of_process(path)
    click.echo(f"The settings are right: {path or 'no file'}, and the variables of this environment.")


@config.command()
@settings_option
def show(path: Path | None) -> None:
    """Print the settings in force as a settings file. Changed ones say so; credentials are hidden."""
    click.echo(render_settings(settings_of_process(path)), nl=False)


@config.command()
def docs() -> None:
    """Print the reference of all settings as Markdown: the content of docs/settings.md."""
    click.echo(render_reference(), nl=False)


def render_settings(settings: Settings) -> str:
    """Write settings as the TOML file that would set them."""
    lines: list[str] = []
    for section in sections():
        lines += [f"[{section}]"] if not lines else ["", f"[{section}]"]
        for doc in (each for each in describe() if each.section == section):
            value = getattr(getattr(settings, section), doc.key)
            changed = "" if value == doc.default else f"  # default: {toml_value(doc.default)}"
            lines.append(f"{doc.key} = {redact(toml_value(value))}{changed}")
    return "\n".join(lines) + "\n"


def render_reference() -> str:
    """Write docs/settings.md."""
    parts = [_INTRODUCTION]
    for section, text in sections().items():
        parts.append(f"## [{section}]\n\n{_wrapped(text)}\n")
        parts += [_entry(doc) for doc in describe() if doc.section == section]
    return "\n".join(parts)


def _entry(doc: SettingDoc) -> str:
    must = doc.rule.must if doc.rule else doc.kind.words
    return (
        f"### {doc.name}\n\n{_wrapped(doc.text)}\n\n"
        f"- Value: {must}\n- Default: `{toml_value(doc.default)}`\n- Environment: `{doc.variable}`\n"
    )


def _wrapped(text: str) -> str:
    return fill(" ".join(text.split()), 116, break_long_words=False, break_on_hyphens=False)


_INTRODUCTION = """\
# Settings

<!-- Made by `channeld config docs`; edit channeld/settings/sections.py instead. -->

Three sources, each stronger than the one before it: the defaults below; one settings file in TOML
(option `--config FILE`, or the variable `CHANNELD_CONFIG`); the environment.
A key of a file:

```toml
[server]
port = 9000
```

The same in the environment, in capitals, with two underscores between section and key: `CHANNELD_SERVER__PORT=9000`.
A list is written there with commas between its texts, and empty for none. Variables without the two underscores are no
settings: in a Kubernetes pod the platform itself sets `CHANNELD_SERVER_PORT` and the like.

A section, key or variable that is not known stops the start, and the message names the nearest known one.
Paths that are not absolute start at the folder in which channeld is started.
`channeld config check` tells a mistake without starting anything; `channeld config show` prints the settings in force.
"""
