"""What commands on the server's own machine make sure of before they open its data folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from channeld.cli.failures import Failure

if TYPE_CHECKING:
    from channeld.settings import Settings


def require_catalog(settings: Settings) -> None:
    """Refuse a data folder that is none: opening it would make an empty catalog, with which all looks well.

    Raises:
        Failure: there is no catalog yet.
    """
    from sqlalchemy import make_url

    from channeld.instance import database_url

    url = make_url(database_url(settings))
    if url.get_backend_name() != "sqlite":
        return
    file = Path(url.database or "")
    if not file.exists() or file.stat().st_size == 0:
        raise Failure(
            f"There is no catalog in {file.parent}.",
            "Name the server's data folder with --data-dir, or its settings with --config. "
            "Without either it is ./data: run the command where the server was started.",
        )


def refuse_within(settings: Settings, folder: Path) -> None:
    """Refuse a folder for copies that is in the data folder, or has it in it.

    Raises:
        Failure: it is one of the two.
    """
    data, wanted = settings.storage.data_dir.resolve(), folder.resolve()
    if wanted.is_relative_to(data) or data.is_relative_to(wanted):
        raise Failure(
            f"{wanted} and the data folder {data} are within each other.",
            "Name a folder elsewhere, best on another disk.",
        )
