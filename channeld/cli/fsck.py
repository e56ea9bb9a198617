"""``channeld fsck``: check what is published against its hashes and against the catalog."""

from __future__ import annotations

from pathlib import Path

import click

from channeld.cli.config import settings_of_process, settings_option
from channeld.cli.datafolder import require_catalog


@click.command()
@settings_option
@click.option("--repair", is_flag=True, help="Have every view with a finding derived anew from the catalog.")
@click.option("--channel", "only", metavar="CHANNEL", help="Check this channel only.")
@click.option("--quiet", is_flag=True, help="Show views with findings only.")
def fsck(path: Path | None, repair: bool, only: str | None, quiet: bool) -> None:
    """Check what is published, on the server's own machine; the server may go on running.

    Every page, table and shard is compared with its hash, every frame with its pages, and every view with what the
    catalog says. Exits with 1 when something was found.
    """
    from channeld.catalog import channels
    from channeld.clock import SystemClock
    from channeld.indexing.fsck import Checker
    from channeld.instance import open_instance

    clock = SystemClock()
    settings = settings_of_process(path)
    require_catalog(settings)
    instance = open_instance(settings, clock)
    try:
        if only is not None:
            instance.database.read_now(lambda connection: channels.get(connection, only))
        checker = Checker(instance.database, instance.packs, instance.assembly)
        keys = [key for key in checker.views() if only in (None, key.channel)]
        broken = 0
        for key in keys:
            report = checker.check(key)
            if report.is_sound and quiet:
                continue
            where = "/".join(part for part in (key.channel, "label", key.label, key.subdir) if part)
            state = "sound" if report.is_sound else f"{len(report.findings)} findings"
            compared = "" if report.compared else "; hashes only, changes are waiting"
            click.echo(f"{where}  {state}: {report.pages:,} pages, {report.shards:,} shards{compared}")
            for finding in report.findings:
                click.echo(f"    {finding}")
            if not report.is_sound:
                broken += 1
                if repair and checker.repair(key, clock.now_ms()):
                    click.echo("    marked to be derived anew")
        click.echo(f"{len(keys):,} views checked, {broken:,} with findings.")
        if broken and not repair:
            click.echo("Run it again with --repair to have them derived anew.")
    finally:
        instance.close()
    if broken:
        raise SystemExit(1)
