"""``channeld db``: the catalog's database, on the server's own machine and without a server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from channeld.cli.config import data_dir_option, settings_of_process, settings_option
from channeld.cli.datafolder import require_catalog

if TYPE_CHECKING:
    from channeld.catalog.database import Database


@click.group()
def db() -> None:
    """Look after the catalog's database."""


@db.command()
@settings_option
@data_dir_option
def upgrade(path: Path | None, data_dir: Path | None) -> None:
    """Bring the tables up to date. `channeld serve` does so by itself at every start."""
    from channeld.catalog import schema

    with _database(path, data_dir) as database:
        before = schema.current_revision(database)
        schema.upgrade(database)
        after = schema.current_revision(database)
    if before == after:
        click.echo(f"The tables are up to date, at revision {after}.")
    else:
        click.echo(f"The tables went from revision {before or 'none'} to {after}.")


@db.command()
@settings_option
@data_dir_option
def status(path: Path | None, data_dir: Path | None) -> None:
    """Show which database it is, and whether its tables are up to date."""
    from channeld.catalog import schema

    require_catalog(settings_of_process(path, data_dir))
    with _database(path, data_dir) as database:
        found, newest = schema.current_revision(database), schema.newest_revision()
        click.echo(f"database   {database.write_engine.url.render_as_string(hide_password=True)}")
        click.echo(f"revision   {found or 'none'}")
        click.echo(f"newest     {newest}")
    if found != newest:
        click.echo("Run `channeld db upgrade`.")


@db.command("admin-token")
@settings_option
@data_dir_option
@click.option("--name", default="administrator", show_default=True, help="What the token is called in lists.")
def admin_token(path: Path | None, data_dir: Path | None, name: str) -> None:
    """Make another administrator's token and show it, once: for when the first one was lost.

    Whoever can run this can read and write the catalog anyway.
    """
    from channeld.catalog import schema, tokens
    from channeld.catalog.audit import Actor
    from channeld.catalog.grants import ADMINISTRATOR
    from channeld.clock import SystemClock

    actor = Actor("channeld db admin-token", "local", SystemClock().now_ms())
    randomness = secrets.token_bytes(tokens.RANDOM_BYTES)
    require_catalog(settings_of_process(path, data_dir))
    with _database(path, data_dir) as database:
        schema.upgrade(database)
        made = database.write_now(
            lambda connection: tokens.create(connection, name, [ADMINISTRATOR], actor, randomness=randomness)
        )
    click.echo(made.text)


@contextmanager
def _database(path: Path | None, data_dir: Path | None) -> Iterator[Database]:
    from channeld.blobs.durable import disk_errors
    from channeld.catalog.database import open_database
    from channeld.instance import database_url

    settings = settings_of_process(path, data_dir)
    data = settings.storage.data_dir.absolute()
    with disk_errors(data):
        data.mkdir(parents=True, exist_ok=True)
    database = open_database(database_url(settings))
    try:
        yield database
    finally:
        database.close()
