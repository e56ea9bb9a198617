"""Results of peers that take minutes, kept beside the code: one file a benchmark, in ``benchmarks/results/``.

Each tells when and on what machine it was found, so that nobody takes it for a measurement of today. A result is of
the versions that it names: with others it is not found, and has to be measured anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.measure import computer, interpreter

FOLDER: Final = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a result is about, and what it was given to do."""

    #: What was measured, in words.
    what: str
    records: int
    #: Tells these records from others of the same number; "" where the number says all.
    sample: str = ""
    #: Program → version.
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was found out, when, and where."""

    subject: Subject
    #: The day, as ISO 8601 has it, in UTC.
    date: str
    machine: str
    #: Name with its unit → figure, such as ``seconds`` and ``peak_bytes``.
    figures: Mapping[str, float]

    def told(self) -> str:
        """Say where the figures are from."""
        return f"kept from {self.date}, {self.machine}"


def find(benchmark: str, subject: Subject, folder: Path = FOLDER) -> Result | None:
    """Return what is kept about a subject."""
    return next((one for one in _read(folder / f"{benchmark}.json") if one.subject == subject), None)


def keep(benchmark: str, subject: Subject, figures: Mapping[str, float], folder: Path = FOLDER) -> Result:
    """Keep what was found out just now, in place of what was kept about the same subject."""
    path = folder / f"{benchmark}.json"
    date = datetime.now(UTC).date().isoformat()
    result = Result(
        subject=subject, date=date, machine=f"{computer()}, {interpreter()}", figures=dict(figures)
    )
    others = [one for one in _read(path) if one.subject != subject]
    every = sorted([*others, result], key=lambda one: (one.subject.what, one.subject.records, one.date))
    folder.mkdir(exist_ok=True)
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    path.write_bytes(orjson.dumps([asdict(one) for one in every], option=options))
    return result


def _read(path: Path) -> list[Result]:
    if not path.exists():
        return []
    entries: list[dict[str, Any]] = orjson.loads(path.read_bytes())
    return [Result(**{**entry, "subject": Subject(**entry["subject"])}) for entry in entries]
