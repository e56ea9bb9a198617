"""One event, one line, with the same fields in both formats."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import math
import re
import warnings
from typing import Any

import pytest

from channeld.logs import configure, current_request_id, in_request
from channeld.settings.sections import Log

pytestmark = pytest.mark.usefixtures("logging_restored")

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def json_events(stream: io.StringIO) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    for event in events:
        assert TIME.fullmatch(event.pop("time"))
    return events


def test_json_has_time_level_logger_event_request_and_fields() -> None:
    stream = io.StringIO()
    configure(Log(format="json"), stream)
    with in_request("r-1"):
        logging.getLogger("channeld.web").warning(
            "Upload of %s refused",
            "a.conda",
            extra={
                "channel": "main",
                "size": 3,
                "ok": False,
                "labels": ("a", "b"),
                "cause": None,
                "rate": 0.5,
            },
        )
    assert json_events(stream) == [
        {
            "level": "warning",
            "logger": "channeld.web",
            "event": "Upload of a.conda refused",
            "request_id": "r-1",
            "channel": "main",
            "size": 3,
            "ok": False,
            "labels": ["a", "b"],
            "cause": None,
            "rate": 0.5,
        }
    ]


def test_text_has_the_same_for_people() -> None:
    stream = io.StringIO()
    configure(Log(format="text"), stream)
    with in_request("r-1"):
        logging.getLogger("channeld.web").info(
            "Upload accepted", extra={"file": "a b.conda", "size": 3, "note": ""}
        )
    time, _, rest = stream.getvalue().partition(" ")
    assert TIME.fullmatch(time)
    assert rest == 'INFO channeld.web Upload accepted request_id=r-1 file="a b.conda" size=3 note=""\n'


@pytest.mark.parametrize("name", ["text", "json"])
@pytest.mark.parametrize(
    "sign", ["\n", "\r", "\x0b", "\x0c", "\x1b[2J", "\x85", "\u2028", "\u2029", "\ud800", "\x00"]
)
def test_no_character_begins_a_second_line_or_moves_the_cursor(sign: str, name: str) -> None:
    stream = io.StringIO()
    configure(Log(format="json" if name == "json" else "text"), stream)
    logging.getLogger(f"a{sign}").info("b%s", sign, extra={"field": sign, f"name{sign}": [sign, {sign: 1}]})
    line, end = stream.getvalue()[:-1], stream.getvalue()[-1:]
    assert (line.isprintable(), end) == (True, "\n")


@pytest.mark.parametrize("name", ["text", "json"])
def test_a_traceback_stays_on_the_line_of_its_event(name: str) -> None:
    stream = io.StringIO()
    configure(Log(format="json" if name == "json" else "text"), stream)
    try:
        raise ValueError("wrong\nin two lines")
    except ValueError:
        logging.getLogger("x").exception("It failed", stack_info=True)
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert "Traceback (most recent call last)" in written
    assert "stack" in written


def test_a_field_cannot_replace_what_every_event_has() -> None:
    stream = io.StringIO()
    configure(Log(format="json"), stream)
    logging.getLogger("x").info("said", extra={"event": "other", "level": "other"})
    assert json_events(stream) == [
        {"level": "info", "logger": "x", "event": "said", "event_": "other", "level_": "other"}
    ]


def test_numbers_that_json_does_not_have_become_text() -> None:
    stream = io.StringIO()
    configure(Log(format="json"), stream)
    logging.getLogger("x").info("odd", extra={"a": math.nan, "b": math.inf, "c": 1.5})
    assert json_events(stream) == [
        {"level": "info", "logger": "x", "event": "odd", "a": "nan", "b": "inf", "c": 1.5}
    ]


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure(Log(format="json", level="warning"), stream)
    logging.getLogger("x").info("quiet")
    logging.getLogger("x").warning("loud")
    assert [event["event"] for event in json_events(stream)] == ["loud"]


def test_configuring_again_replaces_the_stream() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(Log(), first)
    configure(Log(format="json"), second)
    logging.getLogger("x").info("once")
    assert first.getvalue() == ""
    assert [event["event"] for event in json_events(second)] == ["once"]


def test_warnings_are_events_too() -> None:
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure(Log(format="json"), stream)
        warnings.warn("careful", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    (event,) = json_events(stream)
    assert (event["logger"], event["level"]) == ("py.warnings", "warning")


def test_a_stream_that_cannot_encode_a_character_still_gets_the_event() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    configure(Log(format="text"), stream)
    logging.getLogger("x").info("Grüße")
    stream.flush()
    assert raw.getvalue().endswith(b"INFO x Gr\\xfc\\xdfe\n")


async def test_requests_side_by_side_keep_their_own_ids() -> None:
    seen: list[tuple[str, str]] = []

    async def work(request_id: str) -> None:
        with in_request(request_id):
            await asyncio.sleep(0)
            seen.append((request_id, current_request_id()))

    await asyncio.gather(work("a"), work("b"), work("c"))
    assert sorted(seen) == [("a", "a"), ("b", "b"), ("c", "c")]
    assert current_request_id() == ""
