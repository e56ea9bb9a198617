"""The kinds of changes that are published one at a time, and the packages that are changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from benchmarks.synthesis import Package, newer
from channeld.catalog import tables as t

#: Files of a package that is changed. A change makes the package's shard and its line in channeldata.json anew, so what
#: it costs goes with the size of the package; on average one has 40 files, as on conda-forge.
_FILES: Final = (20, 60)


class Kind(Enum):
    """One change of a channel."""

    #: The next version of a package that has others there.
    NEW = "one new"
    #: A file is deleted.
    REMOVED = "one removed"
    #: A file is marked as broken: it leaves the view of ``main`` and comes into that of ``broken``.
    RELABELLED = "one relabelled"


#: What each kind of change is made to, in this order.
Plan = dict[Kind, list[Package]]


def plan(drawn: Iterator[Package], rounds: int) -> Plan:
    """Take packages for each kind of change: one that is not measured, and then as many as there are rounds."""
    return {kind: [_subject(kind, next(drawn), number) for number in range(rounds + 1)] for kind in Kind}


def of_usual_packages(connection: Connection, drawn: Sequence[Package]) -> Iterator[Package]:
    """Yield first those of packages of usual size, then the others.

    In a larger channel a file drawn at random is one of a larger package; what the size of the channel does to the cost
    of one and the same change shows in packages of one size.
    """
    names = t.files.c.name
    query = sa.select(names).group_by(names).having(sa.func.count().between(*_FILES))
    usual = set(connection.scalars(query))
    return iter(sorted(drawn, key=lambda package: package.record["name"] not in usual))


def _subject(kind: Kind, there: Package, number: int) -> Package:
    return newer(there, number) if kind is Kind.NEW else there


def of_different_names(found: Sequence[Package], count: int) -> list[Package]:
    """Return newer versions of so many packages, no two of one name; fewer where there are not so many names."""
    by_name: dict[str, Package] = {}
    for number, package in enumerate(found):
        by_name.setdefault(package.record["name"], newer(package, 1000 + number))
    return list(by_name.values())[:count]
