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
    data = settings.storage.data_dir.absolute()
    if not settings.storage.database_url and not (data / "catalog.sqlite").exists():
        raise Failure(
            f"There is no catalog in {data}.",
            "Give the settings of the server: --config or CHANNELD_CONFIG, and the folder that it was started in.",
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
