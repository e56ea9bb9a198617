"""The log: one event a line, as text or JSON, with the request it belongs to, and never with a credential.

- ``configure()`` is for the edge that starts the program; nothing else sets logging up.
- What is given as ``extra=`` becomes fields of the event: ``logger.info("Upload accepted", extra={"file": name})``.
- The formatter redacts the finished event, so the messages, arguments, fields and tracebacks of every library pass
  through it. It hides too much rather than too little. What it cannot know is a bare token in a sentence.
- No line holds a character that is not printable: a hostile file name starts no second event and moves no cursor.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from channeld.settings.sections import Log

HIDDEN: Final = "(hidden)"
_DEPTH: Final = 4  # levels of a nested field that are written as such; deeper ones as one text

_request_id: ContextVar[str] = ContextVar("request_id", default="")

# No pattern below starts with a repetition or repeats ambiguously: a hostile line costs no more than its length.
_SLASH = r"(?:/|%(?:25)*2f)"
_DOT = r"(?:\.|%(?:25)*2e)"
_T = r"(?:t|%(?:25)*74)"
_PATH_END = r"%(?:25)*(?:2f|3f|23)"
_QUOTE = r"\\*[\"']"
_WORD = r"(?:token|passw(?:or)?d|secret|signature|credential|api[-_]?key|access[-_]?key)"
_HEADER = r"(?:authorization|cookie)"
_EQUALS = rf"(?:(?:{_QUOTE})\s*[:=,]|\s*[:=]|%(?:25)*3[ad])\s*(?:b(?=[\\\"']))?"
# Up to a quote after which the value is over; how often a quote inside was escaped on its way is anyone's guess.
_QUOTED = rf"{_QUOTE}.*?(?:[\"'](?=[\s,;&)}}\]\\\"']|\Z)|\Z)"

#: What may hold a credential. The group ``kept`` of a match stays; the rest of it is hidden.
_CREDENTIALS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # A token in the path, /t/<token>/…; also percent-encoded, and behind empty or dot segments, which a client
        # may have meant to normalise away.
        rf"(?P<kept>{_SLASH}{_T}{_SLASH}(?:(?:{_DOT}*|{_T}){_SLASH})*)(?:(?!{_PATH_END})[^/\s\"'?#<>])+",
        # Credentials in a URL. An unescaped password of a database may hold "/" and "@".
        r"(?P<kept>\bpostgres[a-z0-9+]*://)(?:(?!://)\S)*(?=@)",
        r"(?P<kept>://)[^\s/]+(?=@)",
        # Headers that are a credential, with any sign inside: the rest of the line, and lines that continue it.
        rf"(?P<kept>{_HEADER}{_EQUALS})[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
        # Fields, parameters and headers that end in such a word, in any notation: query string, JSON, repr of text or
        # bytes, header line.
        rf"(?P<kept>{_WORD}{_EQUALS})(?:{_QUOTED}|(?:(?!%(?:25)*26)[^\s&\"',;)}}\]])+)",
        # The key of a webhook, wherever it stands.
        r"(?P<kept>\bwhsec_)[a-z0-9+/=%_-]+",
        # The value of an Authorization header without its name.
        r"(?P<kept>\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{6,}",
    )
)
_CREDENTIAL_FIELD: Final = re.compile(rf"(?:{_WORD}|{_HEADER})\Z", re.IGNORECASE)

#: Libraries whose everyday events tell an operator nothing: alembic counts the ways in which it found no work.
_TALKATIVE: Final = ("alembic",)

#: What every record has; all else was given as ``extra=``.
_ORDINARY: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """Return the text with everything hidden that may be a credential."""
    for pattern in _CREDENTIALS:
        if pattern.search(text):  # nearly always not, and looking takes a third of the time of substituting
            text = pattern.sub(rf"\g<kept>{HIDDEN}", text)
    return text


class _InRequest:
    """What ``in_request`` returns. A generator would cost a short answer a hundredth of its time."""

    __slots__ = ("_before", "_id")

    def __init__(self, request_id: str) -> None:
        self._id = request_id

    def __enter__(self) -> None:
        self._before = _request_id.set(self._id)

    def __exit__(self, *_: object) -> None:
        _request_id.reset(self._before)


def in_request(request_id: str) -> AbstractContextManager[None]:
    """Give every event inside, in this task and those it starts, the id of a request."""
    return _InRequest(request_id)


def current_request_id() -> str:
    """Return the id of the request that this task works for, or an empty text."""
    return _request_id.get()


def configure(log: Log, stream: TextIO) -> None:
    """Send every event of the process to ``stream``, in place of where they went before."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    handler = _RedactingHandler(stream)
    handler.setFormatter(JsonLines() if log.format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())
    if log.level != "debug":
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


class _RedactingHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the standard library's
        """Drop an event that the stream does not take. The inherited method would print its bare arguments."""


class _OneLine(logging.Formatter):
    """What both formats share: the event as redacted values."""

    def event(self, record: logging.LogRecord) -> dict[str, Any]:
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redact(_message(record)),
        }
        if current_request_id():
            event["request_id"] = redact(current_request_id())
        for name, value in vars(record).items():
            if name not in _ORDINARY:
                event[f"{name}_" if name in event else name] = _clean(name, value, _DEPTH)
        if record.exc_info and record.exc_info[0] is not None:
            event["traceback"] = redact(self.formatException(record.exc_info))
        if record.stack_info:
            event["stack"] = redact(record.stack_info)
        return event


class JsonLines(_OneLine):
    """One JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.event(record))


class TextLines(_OneLine):
    """Time, level, logger and sentence, then the fields as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        event = self.event(record)
        head = (event.pop("time"), event.pop("level").upper(), event.pop("logger"), event.pop("event"))
        fields = (f"{name}={_field(value)}" for name, value in event.items())
        return _printable(" ".join((*head, *fields)))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a log call that does not fit its arguments is still an event
        return f"{record.msg!r} {record.args!r}"


def _clean(name: str, value: object, depth: int) -> Any:
    """Make a field JSON-ready and hide what may be a credential, by its name or by its content."""
    if _CREDENTIAL_FIELD.search(name):
        return HIDDEN
    if value is None or isinstance(value, bool | int):
        return value
    if depth and isinstance(value, Mapping):
        return {redact(str(key)): _clean(str(key), each, depth - 1) for key, each in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_clean("", each, depth - 1) for each in value]
    # JSON has no number for inf and nan; as text they are at least seen.
    if isinstance(value, float) and value - value == 0:
        return value
    return redact(str(value))


def _field(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=') else text


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
