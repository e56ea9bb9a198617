"""The settings may not import the formats, and say some of the same things: they say them alike."""

from __future__ import annotations

from dataclasses import asdict

from channeld.formats.archive.limits import Limits
from channeld.formats.names import KNOWN_SUBDIRS
from channeld.settings import Settings


def test_the_limits_of_archives() -> None:
    settings = Settings()
    chosen = {
        "package_size": settings.server.max_upload_bytes,
        "info_size": settings.limits.archive_info_bytes,
        "tar_size": settings.limits.archive_tar_bytes,
        "document_size": settings.limits.archive_document_bytes,
        "small_document_size": settings.limits.archive_small_document_bytes,
        "entries": settings.limits.archive_entries,
        "ratio": settings.limits.archive_ratio,
    }
    # What Linux, the zip of a .conda and the clients prescribe is no matter of choice.
    prescribed = {"ratio_floor", "path_length", "path_depth", "directory_size", "window_size"}
    defaults = asdict(Limits())
    assert chosen == {name: value for name, value in defaults.items() if name not in prescribed}


def test_the_initial_subdirs_are_those_that_conda_knows() -> None:
    assert set(Settings().index.initial_subdirs) == KNOWN_SUBDIRS
