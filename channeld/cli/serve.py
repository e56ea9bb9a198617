"""``channeld serve``: start the server, and tell a first-time user what to do next."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from channeld.cli.config import data_dir_option, settings_of_process, settings_option
from channeld.settings import Settings

log = logging.getLogger(__name__)

_FIRST_CHANNEL: Final = "my-channel"


@click.command()
@settings_option
@click.option("--host", help="Address to listen on, instead of server.host.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of server.port; 0: a free one."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Processes that answer requests, instead of server.workers."
)
@data_dir_option
def serve(
    path: Path | None, host: str | None, port: int | None, workers: int | None, data_dir: Path | None
) -> None:
    """Serve channels until told to stop (SIGTERM or Ctrl-C).

    The first start in a new data folder makes an administrator's token and shows it, once.
    """
    settings = _overridden(settings_of_process(path, data_dir), host, port, workers)
    with _shared_metrics(settings) as metrics_folder:
        _serve(settings, metrics_folder)


@contextmanager
def _shared_metrics(settings: Settings) -> Iterator[str]:
    """Give several processes a folder for their metrics; its name has to be known before they are imported."""
    if settings.server.workers == 1:
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="channeld-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield folder


def _serve(settings: Settings, metrics_folder: str) -> None:
    from channeld import logs
    from channeld.web import server

    logs.configure(settings.log, sys.stderr)
    with server.listen(settings) as listener:
        url = settings.server.base_url.rstrip("/") or server.url_of(listener)
        token = first_token(settings)

        def ready() -> None:
            click.echo(_welcome(url, token) if token else f"channeld listens on {url}")
            sys.stdout.flush()

        server.run(settings, listener, ready, metrics_folder)
    click.echo("channeld has stopped.")


def _overridden(settings: Settings, host: str | None, port: int | None, workers: int | None) -> Settings:
    server = settings.server
    server = replace(
        server,
        host=host if host is not None else server.host,
        port=port if port is not None else server.port,
        workers=workers if workers is not None else server.workers,
    )
    return replace(settings, server=server)


def first_token(settings: Settings) -> str | None:
    """Make the administrator's token of a catalog that has no tokens yet; None where there are some."""
    from sqlalchemy import Connection

    from channeld.catalog import tokens
    from channeld.catalog.audit import Actor
    from channeld.catalog.grants import ADMINISTRATOR
    from channeld.clock import SystemClock
    from channeld.instance import open_instance

    clock = SystemClock()
    instance = open_instance(settings, clock)
    try:
        actor = Actor("channeld serve", "local", clock.now_ms(), "first start")

        def make(connection: Connection) -> str | None:
            if tokens.every(connection):
                return None
            randomness = secrets.token_bytes(tokens.RANDOM_BYTES)
            made = tokens.create(connection, "administrator", [ADMINISTRATOR], actor, randomness=randomness)
            return made.text

        return instance.database.write_now(make)
    finally:
        instance.close()


def _program() -> str:
    """Say how this program is called in another terminal: one in an environment of its own may be on no path."""
    beside = Path(sys.executable).with_name("channeld")
    if shutil.which("channeld") or not beside.exists():
        return "channeld"
    return str(beside)


def _welcome(url: str, token: str) -> str:
    program = _program()
    return f"""\
channeld listens on {url}

This is the administrator's token. It is shown this once; only a hash of it is kept:

    {token}

Next, in another terminal:

    export CHANNELD_URL={url} CHANNELD_TOKEN={token}

    {program} upload --create --channel {_FIRST_CHANNEL} PACKAGE.conda
    conda install --override-channels -c {url}/{_FIRST_CHANNEL} NAME
    {program} status
"""
