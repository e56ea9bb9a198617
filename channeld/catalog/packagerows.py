"""What is said of artifacts that speak for their package: what channeldata.json is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t

_CHUNK = 500  # ids in one IN list, below every database's limit of parameters


class PackageDetails(NamedTuple):
    """What is said of an artifact, as JSON."""

    record: bytes
    run_exports: bytes
    #: Of ``formats.archive.facts.ChannelFacts``.
    facts: bytes


def details(connection: Connection, artifact_ids: Iterable[int]) -> Iterator[tuple[int, PackageDetails]]:
    """Yield what is said of artifacts, by their ids."""
    ids = list(artifact_ids)
    columns = (
        t.artifacts.c.id,
        t.artifacts.c.record,
        t.artifacts.c.run_exports,
        t.channel_facts.c.facts,
    )
    for start in range(0, len(ids), _CHUNK):
        query = (
            sa.select(*columns)
            .join(t.channel_facts, t.channel_facts.c.artifact_id == t.artifacts.c.id)
            .where(t.artifacts.c.id.in_(ids[start : start + _CHUNK]))
        )
        for artifact_id, *said in connection.execute(query).all():
            yield artifact_id, PackageDetails(*said)
