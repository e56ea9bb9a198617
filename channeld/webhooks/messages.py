"""How an event is written: the id and the body of a message, as Standard Webhooks 1.0 has them. Pure.

A message has the same id and the same bytes however often it is sent. The id holds the time of the event too: after a
backup was restored, numbers of the audit are given again.
"""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from channeld.catalog.audit import AuditRow
from channeld.webhooks.events import Event


def message_id(webhook_id: str, audit_id: int, at_ms: int) -> str:
    """Name a message: that of one event to one webhook."""
    return f"msg_{webhook_id}_{audit_id}_{at_ms:x}"


def body_of(row: AuditRow, event: Event, webhook_id: str) -> bytes:
    """Write what is sent of an event."""
    return orjson.dumps(
        {
            "type": event.name,
            "id": message_id(webhook_id, row.id, row.at_ms),
            "timestamp": _time(row.at_ms),
            "sequence": row.id,
            "channel": row.channel,
            "actor": row.actor,
            "reason": row.reason,
            "subject": row.subject,
            "data": event.data,
        }
    )


def _time(milliseconds: int) -> str:
    time = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
