"""``channeld import``: a channel folder, with its packages, into a channel of this instance."""

from __future__ import annotations

from pathlib import Path

import click

from channeld.cli.config import data_dir_option, settings_of_process, settings_option
from channeld.cli.datafolder import require_catalog
from channeld.cli.failures import Interrupted
from channeld.cli.index import (
    KEPT,
    finish,
    processes_option,
    progress_of,
    progress_option,
    quiet_option,
    subdir_option,
)


@click.command("import")
@click.argument("channel")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@settings_option
@data_dir_option
@click.option(
    "--label",
    "labels",
    multiple=True,
    default=("main",),
    show_default=True,
    help="Label of the packages; may be given several times.",
)
@subdir_option
@click.option(
    "--link",
    is_flag=True,
    help="Make hard links instead of copies. The files of FOLDER must never be changed in place afterwards.",
)
@processes_option
@quiet_option
@progress_option
def import_(
    channel: str,
    folder: Path,
    path: Path | None,
    data_dir: Path | None,
    labels: tuple[str, ...],
    subdirs: tuple[str, ...],
    link: bool,
    processes: int | None,
    quiet: bool,
    shown: bool,
) -> None:
    """Import FOLDER, which has packages in folders such as noarch and linux-64, into CHANNEL.

    Works on the data folder itself, also while a server runs. The times of entry of FOLDER/*/repodata.json are taken
    over (indexed_timestamp); a package that it does not list counts from when it was built. The same again changes
    nothing; an import that was stopped goes on when it is repeated.

    The exit status is 1 if a package was refused; the others are imported all the same.
    """
    from channeld.clock import SystemClock
    from channeld.cold.importing import Importer, ImportOptions
    from channeld.instance import open_instance
    from channeld.jobs import cores

    settings = settings_of_process(path, data_dir)
    require_catalog(settings)
    clock = SystemClock()
    begun = clock.monotonic()
    importer = Importer(processes or cores())
    options = ImportOptions(labels, subdirs, linked=link)
    try:
        instance = open_instance(settings, clock)
        try:
            report = importer.run(instance, channel, folder, options, progress_of(shown=shown and not quiet))
        finally:
            instance.close()
    except KeyboardInterrupt:
        raise Interrupted(KEPT) from None
    finally:
        importer.close()
    if not quiet:
        seconds = clock.monotonic() - begun
        click.echo(
            f"{report.added:,} added, {report.changed:,} changed, {report.unchanged:,} unchanged, "
            f"{len(report.refused):,} refused, in {seconds:.1f} s."
        )
        if report.left_to:
            click.echo("A running server publishes what was imported.")
    finish(report)
