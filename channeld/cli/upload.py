"""``channeld upload``: packages into a channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from channeld.cli.arguments import Duration, reason_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.failures import Failure, NotNow, Refused
from channeld.cli.output import counted, print_json

if TYPE_CHECKING:
    from channeld.cli.client import Client
    from channeld.cli.sending import Outcome


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
)
@click.option("--channel", required=True, help="The channel.")
@click.option(
    "--label", "labels", multiple=True, help="A label that the packages get; repeat it. [default: main]"
)
@click.option("--wait", type=Duration(), default=0, help="Wait until all is live, this long at most: 60, 5m.")
@click.option("--create", is_flag=True, help="Create the channel if it is not there.")
@click.option("--jobs", type=click.IntRange(1, 32), default=4, show_default=True, help="Files at a time.")
@click.option(
    "--retries",
    type=click.IntRange(0, 20),
    default=4,
    show_default=True,
    help="Further tries when the server is away.",
)
@reason_option
@json_option
@talks_to_server
def upload(
    client: Client,
    files: Sequence[Path],
    channel: str,
    labels: Sequence[str],
    wait: int,
    create: bool,
    jobs: int,
    retries: int,
    reason: str,
    as_json: bool,
) -> None:
    """Upload packages.

    Their hashes are compared on both sides. Uploading again what is there already is safe and changes nothing.
    """
    import asyncio
    import sys

    from channeld.cli.progress import Progress, Quiet
    from channeld.cli.sending import Plan, Sender

    plan = Plan(
        channel=channel,
        labels=labels,
        files=files,
        wait_seconds=wait,
        jobs=jobs,
        retries=retries,
        reason=reason,
    )
    if create:
        _create(client, channel)
    total = sum(file.stat().st_size for file in files)
    progress = Quiet(total, sys.stderr) if as_json else Progress(total, sys.stderr)
    try:
        outcome = asyncio.run(Sender(client, plan, progress).run())
    finally:
        progress.clear()
    _report(outcome, live=bool(wait), as_json=as_json)


def _create(client: Client, channel: str) -> None:
    from channeld.cli.client import path

    try:
        client.ask("GET", path("channels", channel))
    except Refused as refusal:
        if refusal.code != "channel_missing":
            raise
        client.ask("POST", "/channels", {"name": channel})
        click.echo(f"Created the channel {channel}.", err=True)


def _report(outcome: Outcome, *, live: bool, as_json: bool) -> None:
    sent = outcome.sent
    failures = [one.failure for one in sent if one.failure is not None]
    if as_json:
        failed = [
            {"file": str(one.file), "error": one.failure.message, "advice": one.failure.advice}
            for one in sent
            if one.failure is not None
        ]
        print_json({"uploaded": [one.answer for one in sent if one.answer is not None], "failed": failed})
    if failures:
        kind = NotNow if all(isinstance(failure, NotNow) for failure in failures) else Failure
        raise kind(f"{len(failures):,} of {counted(len(sent), 'file')} could not be uploaded.")
    if outcome.late is not None:
        raise outcome.late
    if not as_json:
        click.echo(f"{counted(len(sent), 'package')} {'live' if live else 'stored'}.")
