"""``channeld backup`` and ``channeld restore``: on the server's own machine, with its settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from channeld.cli.config import data_dir_option, settings_of_process, settings_option
from channeld.cli.datafolder import refuse_within, require_catalog
from channeld.cli.failures import Failure

if TYPE_CHECKING:
    from channeld.backup.backup import Report

#: How many damaged artifacts are named.
_NAMED: Final = 20


@click.command()
@settings_option
@data_dir_option
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def backup(path: Path | None, data_dir: Path | None, folder: Path) -> None:
    """Back the catalog, the artifacts and the indexes up into FOLDER.

    The server may go on running. A second backup into the same folder copies only what is new.
    """
    from channeld.backup.backup import take
    from channeld.clock import SystemClock
    from channeld.instance import open_instance

    settings = settings_of_process(path, data_dir)
    require_catalog(settings)
    refuse_within(settings, folder)
    instance = open_instance(settings, SystemClock())
    try:
        report = take(instance, folder, _progress)
    finally:
        instance.close()
    _say("Backed up", report)


@click.command()
@settings_option
@data_dir_option
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def restore(path: Path | None, data_dir: Path | None, folder: Path) -> None:
    """Restore the backup in FOLDER into the empty data folder and database of the settings.

    The restored server serves the same bytes under the same ETags.
    """
    from channeld.backup.restore import restore as bring_back
    from channeld.clock import SystemClock
    from channeld.instance import open_instance

    instance = open_instance(settings_of_process(path, data_dir), SystemClock())
    try:
        report = bring_back(instance, folder, _progress)
    finally:
        instance.close()
    _say("Restored", report)


def _say(verb: str, report: Report) -> None:
    click.echo(
        f"{verb} {report.artifacts:,} artifacts and {report.packs:,} packs; "
        f"copied {report.copied_files:,} files, {report.copied_bytes:,} bytes."
    )
    if report.damaged:
        raise Failure(
            f"The bytes of {len(report.damaged)} artifacts were damaged or missing: "
            + ", ".join(report.damaged[:_NAMED])
            + ("…" if len(report.damaged) > _NAMED else ""),
            "Everything else is there. Uploading these packages again repairs them.",
        )


def _progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 50 == 0 or done == total):
        click.echo(f"\r{what}: {done:,} of {total:,}", nl=done == total, err=True)
