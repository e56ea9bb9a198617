"""What a row of the audit tells those who listen: the one table from actions to events. Pure.

What happens in a staging channel is nobody's news: only standard channels publish, and only there a file is broken.
An import of many files (``files.add``) is one row that names none of them, and no event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from channeld.catalog.audit import AuditRow
from channeld.catalog.labels import BROKEN as BROKEN_LABEL
from channeld.catalog.webhooks import PING_ACTION

PUBLISHED: Final = "published"
REFUSED: Final = "refused"
BROKEN: Final = "broken"
PATCHED: Final = "patched"
PING: Final = "ping"

#: What one may ask to be told of, and what it means. A ``ping`` comes unasked.
EVENTS: Final[Mapping[str, str]] = {
    PUBLISHED: "A file came into a channel, by upload, copy or restore, or under one more of its labels.",
    REFUSED: "A copy from staging was refused, or failed, for some of its outputs or all.",
    BROKEN: "A file was marked as broken, or the mark was taken off.",
    PATCHED: "Another patch set is in force.",
}


@dataclass(frozen=True, slots=True)
class Event:
    """What is told of a row. ``data`` is JSON-ready, and different for each kind of event."""

    name: str
    data: dict[str, Any]
    #: The file that it is about, as (subdir, file name), if the data lack its hash and size, which are to be added.
    file: tuple[str, str] | None = None


#: A rule is given the row, and the kind of its channel; None where there is no such channel (any more).
Rule = Callable[[AuditRow, str | None], Event | None]


def event_of(row: AuditRow, kind: str | None) -> Event | None:
    """Say what a row tells; None if it is no news."""
    rule = RULES.get(row.action)
    return rule(row, kind) if rule is not None else None


def _published(row: AuditRow, kind: str | None) -> Event | None:
    if kind != "standard":
        return None
    after = _json(row.after)
    labels = after.get("labels", [])
    how = "restored" if row.action == "file.restore" else "new"
    facts = {"sha256": after.get("sha256"), "size": after.get("size")}
    return Event(PUBLISHED, {**_file(row.subject), **facts, "labels": labels, "added": labels, "how": how})


def _relabelled(row: AuditRow, kind: str | None) -> Event | None:
    """A change of labels breaks a file or mends it, or publishes it under one more label, or is no news."""
    if kind != "standard":
        return None
    before, after = _list(row.before), _list(row.after)
    file = _file(row.subject)
    place = (file["subdir"], file["filename"])
    broken = BROKEN_LABEL in after
    if broken != (BROKEN_LABEL in before):
        return Event(BROKEN, {**file, "labels": after, "broken": broken}, place)
    added = [label for label in after if label not in before]
    if broken or not added:
        return None
    return Event(PUBLISHED, {**file, "labels": after, "added": added, "how": "labelled"}, place)


def _refused(row: AuditRow, _kind: str | None) -> Event:
    after = _json(row.after)
    return Event(
        REFUSED,
        {
            "copy": row.subject,
            "failed": row.action == "copy.fail",
            "feedstock": after.get("feedstock", ""),
            "label": after.get("label"),
            "outputs": after.get("outputs", {}),
            "errors": after.get("errors", []),
            "comment": after.get("comment", ""),
        },
    )


def _patched(row: AuditRow, _kind: str | None) -> Event:
    return Event(PATCHED, {"before": _json(row.before), "after": _json(row.after)})


def _pinged(_row: AuditRow, _kind: str | None) -> Event:
    return Event(PING, {})


#: What each action tells. An action that is not named here is no news.
RULES: Final[Mapping[str, Rule]] = {
    "file.add": _published,
    "file.restore": _published,
    "file.label": _relabelled,
    "copy.refuse": _refused,
    "copy.fail": _refused,
    "patch.apply": _patched,
    PING_ACTION: _pinged,
}


def _file(subject: str) -> dict[str, str]:
    subdir, _, filename = subject.partition("/")
    return {"subdir": subdir, "filename": filename}


def _json(text: str) -> dict[str, Any]:
    value = orjson.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def _list(text: str) -> list[Any]:
    value = orjson.loads(text) if text else []
    return value if isinstance(value, list) else []
