"""``channeld fsck``: check what is published, and what is stored, against hashes and against the catalog."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from channeld.cli.config import data_dir_option, settings_of_process, settings_option
from channeld.cli.datafolder import require_catalog
from channeld.cli.output import counted

if TYPE_CHECKING:
    from channeld.instance import Instance

_MB = 1_000_000


@click.command()
@settings_option
@data_dir_option
@click.option("--repair", is_flag=True, help="Have every view with a finding derived anew from the catalog.")
@click.option("--channel", "only", default="", metavar="CHANNEL", help="Check this channel only.")
@click.option("--packages", is_flag=True, help="Read every package too, and compare it with its hash.")
@click.option("--quiet", is_flag=True, help="Show what has findings only.")
def fsck(
    path: Path | None, data_dir: Path | None, repair: bool, only: str, packages: bool, quiet: bool
) -> None:
    """Check what is published, on the server's own machine; the server may go on running.

    Every page, table and shard is compared with its hash, every frame with its pages, and every view with what the
    catalog says; with --packages also the bytes of every package. Exits with 1 when something was found.
    """
    from channeld.catalog import channels
    from channeld.clock import SystemClock
    from channeld.instance import open_instance

    settings = settings_of_process(path, data_dir)
    require_catalog(settings)
    instance = open_instance(settings, SystemClock())
    try:
        if only:
            instance.database.read_now(lambda connection: channels.get(connection, only))
        broken = _check_views(instance, only, repair=repair, quiet=quiet)
        damaged = _check_packages(instance, only) if packages else 0
    finally:
        instance.close()
    if broken or damaged:
        raise SystemExit(1)


def _check_views(instance: Instance, only: str, *, repair: bool, quiet: bool) -> int:
    """Check what is published; returns how many views have findings."""
    from channeld.indexing.fsck import Checker

    checker = Checker(instance.database, instance.packs, instance.assembly)
    keys = [key for key in checker.views() if only in ("", key.channel)]
    broken = 0
    for key in keys:
        report = checker.check(key)
        if report.is_sound and quiet:
            continue
        where = "/".join(part for part in (key.channel, "label", key.label, key.subdir) if part)
        count = len(report.findings)
        state = "sound" if report.is_sound else counted(count, "finding")
        compared = "" if report.compared else "; hashes only, changes are waiting"
        click.echo(f"{where}  {state}: {report.pages:,} pages, {report.shards:,} shards{compared}")
        for finding in report.findings:
            click.echo(f"    {finding}")
        if not report.is_sound:
            broken += 1
            if repair and checker.repair(key, instance.clock.now_ms()):
                click.echo("    marked to be derived anew")
    click.echo(f"{counted(len(keys), 'view')} checked, {broken:,} with findings.")
    if broken and not repair:
        click.echo("Run it again with --repair to have them derived anew.")
    return broken


def _check_packages(instance: Instance, only: str) -> int:
    """Read all packages; returns how many are damaged or missing."""
    from channeld.intake.bytechecking import check_packages

    count = size = damaged = 0
    for one in check_packages(instance.database, instance.blobs, only):
        count, size = count + 1, size + one.size
        if one.problem:
            damaged += 1
            click.echo(f"{', '.join(one.names)}\n    {one.problem}")
        if sys.stderr.isatty() and count % 100 == 0:
            click.echo(f"\r{count:,} packages read, {size / _MB:,.0f} MB", nl=False, err=True)
    if sys.stderr.isatty() and count >= 100:
        click.echo(err=True)
    click.echo(f"{counted(count, 'package')} read, {size / _MB:,.1f} MB, {damaged:,} damaged or missing.")
    if damaged:
        click.echo(
            "Upload these packages again, or restore their files from a backup: they cannot be derived anew."
        )
    return damaged
