"""Is it live? A change is, once no dirty row of its channel is as old as it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t

#: One statement, so that both come from one snapshot, also on PostgreSQL.
_LOOK: Final = sa.select(
    t.channels.c.revision,
    sa.select(sa.func.min(t.dirty.c.revision))
    .where(t.dirty.c.channel_id == t.channels.c.id)
    .scalar_subquery()
    .label("oldest"),
)


@dataclass(frozen=True, slots=True)
class Liveness:
    """How far a channel is published, as it was seen at some moment."""

    #: The channel's revision then; what came later was not seen.
    revision: int
    #: The revision of the oldest change that waited to be published; None when there was none.
    oldest: int | None

    def covers(self, revision: int) -> bool:
        """Tell whether every change up to a revision was published."""
        return self.revision >= revision and (self.oldest is None or self.oldest > revision)


def look(connection: Connection, channel_id: int) -> Liveness:
    """See how far a channel is published; one that is gone has no revision."""
    row = connection.execute(_LOOK.where(t.channels.c.id == channel_id)).first()
    return Liveness(*row) if row is not None else Liveness(0, None)


def live(connection: Connection, channel_id: int, revision: int) -> bool:
    """Tell whether every change of a channel up to a revision is published."""
    return look(connection, channel_id).covers(revision)
