"""``channeld index``: a folder of packages becomes a channel that any web server can serve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from channeld.cli.failures import Interrupted

if TYPE_CHECKING:
    from channeld.cold.progress import Progress
    from channeld.cold.report import Report

#: What Ctrl-C comes to.
KEPT = "Stopped. What was done is kept; the same command goes on from there."

processes_option = click.option(
    "--threads",
    "-j",
    "processes",
    type=click.IntRange(1),
    help="Processes that read packages. One for each core, if not given.",
)
subdir_option = click.option(
    "--subdir",
    "subdirs",
    multiple=True,
    metavar="SUBDIR",
    help="Only this subdir; may be given several times.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Say nothing but what is wrong.")
progress_option = click.option(
    "--progress/--no-progress",
    "shown",
    default=True,
    help="Show how far the work has come, on standard error.",
)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@subdir_option
@click.option("--channel-name", "-n", default="", help="Title of the pages. The folder's name, if not given.")
@click.option("--shards/--no-shards", default=True, help="Write sharded repodata (CEP 16).")
@click.option(
    "--strict/--legacy",
    default=False,
    help="Refuse packages that break today's rules for names and metadata.",
)
@processes_option
@quiet_option
@progress_option
def index(
    folder: Path,
    subdirs: tuple[str, ...],
    channel_name: str,
    shards: bool,
    strict: bool,
    processes: int | None,
    quiet: bool,
    shown: bool,
) -> None:
    """Index FOLDER, which has packages in folders such as noarch and linux-64.

    The index is written beside the packages, for any web server to serve. What was read is remembered in
    FOLDER/.channeld, so that the next run reads new and changed packages only; without that folder all are read again.

    The exit status is 1 if a package was refused; the others are indexed all the same.
    """
    from channeld.clock import SystemClock
    from channeld.cold.index import IndexOptions, index_folder
    from channeld.cold.workers import Workers
    from channeld.formats.names import Naming
    from channeld.jobs import cores

    options = IndexOptions(
        subdirs=subdirs,
        channel_name=channel_name,
        naming=Naming.STRICT if strict else Naming.LEGACY,
        shards=shards,
    )
    workers = Workers(processes or cores())
    clock = SystemClock()
    begun = clock.monotonic()
    try:
        report = index_folder(folder, options, workers, clock, progress_of(shown=shown and not quiet))
    except KeyboardInterrupt:
        raise Interrupted(KEPT) from None
    finally:
        workers.close()
    if not quiet:
        seconds = clock.monotonic() - begun
        click.echo(
            f"{report.added:,} added, {len(report.replaced):,} replaced, {report.removed:,} removed, "
            f"{report.unchanged:,} unchanged, {len(report.refused):,} refused; "
            f"{report.written:,} documents written, in {seconds:.1f} s."
        )
    for name in sorted(report.replaced):
        click.echo(f"Warning: {name} has other bytes than before; the new ones are indexed.", err=True)
    finish(report)


def progress_of(*, shown: bool) -> Progress:
    """Return what shows the progress on standard error, or what does not."""
    from channeld.clock import SystemClock
    from channeld.cold.progress import Lines, Silent

    return Lines(sys.stderr, SystemClock()) if shown else Silent()


def finish(report: Report) -> None:
    """Tell which files were refused, and by which rule; they make the command fail."""
    from channeld.formats.rejections import shown

    for one in sorted(report.refused, key=str):
        name = one.filename if one.filename.isprintable() else shown(one.filename)
        click.echo(f"Refused: {one.subdir}/{name}", err=True)
        click.echo(f"  {one.refusal.code}: {one.refusal.sentence}", err=True)
        if one.refusal.advice:
            click.echo(f"  {one.refusal.advice}", err=True)
    if report.refused:
        sys.exit(1)
