"""Reference files of a package name, as channeldata.json is made from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from channeld.formats.archive.facts import ChannelFacts
from channeld.formats.channeldata import ReferenceFile
from tests.support.records import record

SECOND = 1_700_000_000


def reference_file(
    version: str = "1.0",
    subdir: str = "linux-64",
    *,
    seconds: int = SECOND,
    about: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
    run_exports: dict[str, Any] | None = None,
    fields: dict[str, Any] | None = None,
    flags: Iterable[str] = (),
) -> ReferenceFile:
    """Return a file of the package ``alpha``; ``flags`` are the fields of ``ChannelFacts`` that are true."""
    return ReferenceFile(
        subdir,
        record("alpha", version, subdir=subdir, timestamp=seconds * 1000 + 999, **(fields or {})),
        run_exports or {},
        ChannelFacts(about or {}, source or {}, **dict.fromkeys(flags, True)),
    )
