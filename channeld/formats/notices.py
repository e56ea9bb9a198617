"""``notices.json``: what a channel tells everybody who uses it (CEP 6).

Clients print messages into terminals, so a message holds no control characters. Times are written in UTC with the
offset ``+00:00``, not ``Z``: conda reads them with ``datetime.fromisoformat``, which takes no ``Z`` before Python
3.11. Rattler reads one MiB of the document at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import orjson

from channeld.errors import Rejected
from channeld.formats.rejections import shown

LEVELS: Final = ("info", "warning", "critical")

#: In characters. CEP 6 thinks of "about the size of a single Twitter post".
ID_LIMIT: Final = 128
MESSAGE_LIMIT: Final = 4096
#: The whole document, in bytes: what rattler reads of it.
DOCUMENT_LIMIT: Final = 1 << 20


class BadNotice(Rejected):
    """A notice that clients would drop, misread, or print to somebody's harm."""


@dataclass(eq=False)
class NoticeFieldMissing(BadNotice):
    field: str

    def sentence(self) -> str:
        return f"The notice has no {self.field!r}, or it is not a text."

    advice = "A notice has an id, a message, a level, created_at and expires_at (CEP 6)."


@dataclass(eq=False)
class NoticeTooLong(BadNotice):
    field: str
    length: int
    limit: int

    def sentence(self) -> str:
        return f"The {self.field} of the notice has {self.length} characters, more than {self.limit}."

    advice = "Shorten it, and link to the rest."


@dataclass(eq=False)
class NoticeUnprintable(BadNotice):
    field: str
    character: str

    def sentence(self) -> str:
        return f"The {self.field} of the notice contains the control character {self.character!r}."

    advice = "Messages are printed in terminals: use plain text, with line breaks if need be."


@dataclass(eq=False)
class NoticeLevelUnknown(BadNotice):
    level: str

    def sentence(self) -> str:
        return f"{self.level!r} is not the level of a notice."

    advice = f"Use one of {', '.join(LEVELS)}."


@dataclass(eq=False)
class NoticeTimeMalformed(BadNotice):
    field: str
    value: str

    def sentence(self) -> str:
        return f"{self.value!r}, given as {self.field}, is not a time with an offset from UTC."

    advice = "Write it as ISO 8601 does: 2026-04-21T11:50:34+00:00."


@dataclass(eq=False)
class NoticeExpiresTooSoon(BadNotice):
    created_at: str
    expires_at: str

    def sentence(self) -> str:
        return f"The notice expires at {self.expires_at}, not after its creation at {self.created_at}."

    advice = "Nobody would see it: let it expire later."


@dataclass(eq=False)
class NoticeIdTaken(BadNotice):
    id: str

    def sentence(self) -> str:
        return f"There are two notices with the id {self.id!r}."

    advice = "Clients remember by its id what they have shown: give each notice its own."


@dataclass(eq=False)
class NoticesTooLarge(BadNotice):
    size: int
    limit: int = DOCUMENT_LIMIT

    def sentence(self) -> str:
        return f"The notices come to {self.size} bytes, more than the {self.limit} that clients read."

    advice = "Remove old notices, or shorten some."


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to the users of a channel. ``parse`` checks what comes from outside."""

    #: Unique in the channel.
    id: str
    message: str
    #: One of ``LEVELS``.
    level: str
    #: Both with an offset from UTC.
    created_at: datetime
    expires_at: datetime

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """Read and check a notice as CEP 6 writes it. Keys that it does not name are left out.

        Raises:
            NoticeFieldMissing, NoticeTooLong, NoticeUnprintable, NoticeLevelUnknown, NoticeTimeMalformed,
            NoticeExpiresTooSoon
        """
        level = _text(value, "level", ID_LIMIT)
        if level not in LEVELS:
            raise NoticeLevelUnknown(shown(level))
        created_at, expires_at = _time(value, "created_at"), _time(value, "expires_at")
        if expires_at <= created_at:
            raise NoticeExpiresTooSoon(_written(created_at), _written(expires_at))
        return cls(
            _text(value, "id", ID_LIMIT),
            _text(value, "message", MESSAGE_LIMIT),
            level,
            created_at,
            expires_at,
        )

    def document(self) -> dict[str, str]:
        """Return the JSON value."""
        return {
            "id": self.id,
            "message": self.message,
            "level": self.level,
            "created_at": _written(self.created_at),
            "expires_at": _written(self.expires_at),
        }


def encode_notices(notices: Iterable[Notice]) -> bytes:
    """Write notices.json, the newest notice first.

    Raises:
        NoticeIdTaken: two notices share an id.
        NoticesTooLarge: more than clients read.
    """
    ordered = sorted(notices, key=lambda notice: (notice.created_at, notice.id), reverse=True)
    ids: set[str] = set()
    for notice in ordered:
        if notice.id in ids:
            raise NoticeIdTaken(notice.id)
        ids.add(notice.id)
    document = orjson.dumps({"notices": [notice.document() for notice in ordered]}) + b"\n"
    if len(document) > DOCUMENT_LIMIT:
        raise NoticesTooLarge(len(document))
    return document


def _text(value: Mapping[str, Any], field: str, limit: int) -> str:
    text = value.get(field)
    if not isinstance(text, str) or not text.strip():
        raise NoticeFieldMissing(field)
    if len(text) > limit:
        raise NoticeTooLong(field, len(text), limit)
    for character in text:
        if not (character.isprintable() or (character == "\n" and field == "message")):
            raise NoticeUnprintable(field, shown(character))
    return text


def _time(value: Mapping[str, Any], field: str) -> datetime:
    text = _text(value, field, ID_LIMIT)
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NoticeTimeMalformed(field, shown(text)) from None


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")
