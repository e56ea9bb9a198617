"""Which rows of the audit are news, and what is told of them."""

from __future__ import annotations

import orjson
import pytest

from channeld.catalog.audit import AuditRow
from channeld.webhooks.events import EVENTS, RULES, Event, event_of
from channeld.webhooks.messages import body_of, message_id

FILE = "noarch/alpha-1.0-0.conda"
NAMED = {"subdir": "noarch", "filename": "alpha-1.0-0.conda"}
PLACE = ("noarch", "alpha-1.0-0.conda")


def row(action: str, before: object = None, after: object = None, subject: str = FILE) -> AuditRow:
    """Return a row as the audit has it."""

    def text(value: object) -> str:
        return "" if value is None else orjson.dumps(value).decode()

    return AuditRow(
        7, 1_700_000_000_000, "tok", "local", action, "chan", subject, text(before), text(after), "why", 3
    )


ADDED = {"sha256": "ab" * 32, "size": 5, "labels": ["main", "rc"]}


@pytest.mark.parametrize(("action", "how"), [("file.add", "new"), ("file.restore", "restored")])
def test_a_file_that_comes_into_a_standard_channel_is_published(action: str, how: str) -> None:
    assert event_of(row(action, after=ADDED), "standard") == Event(
        "published", {**NAMED, **ADDED, "added": ["main", "rc"], "how": how}
    )


def test_a_file_that_gets_one_more_label_is_published_under_it() -> None:
    assert event_of(row("file.label", ["rc"], ["main", "rc"]), "standard") == Event(
        "published", {**NAMED, "labels": ["main", "rc"], "added": ["main"], "how": "labelled"}, PLACE
    )


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [(["main"], ["broken", "main"], True), (["broken", "main"], ["main"], False), (["broken"], [], False)],
)
def test_breaking_and_mending_are_told(before: list[str], after: list[str], broken: bool) -> None:
    assert event_of(row("file.label", before, after), "standard") == Event(
        "broken", {**NAMED, "labels": after, "broken": broken}, PLACE
    )


@pytest.mark.parametrize(
    "change",
    [
        row("file.label", ["main", "rc"], ["main"]),  # only taken off
        row("file.label", ["broken"], ["broken", "main"]),  # still hidden
        row("file.delete", ADDED),
        row("files.add", after={"files": {"noarch": 5}}),
        row("token.create"),
        row("copy.done", after={"outputs": []}),
    ],
    ids=lambda change: f"{change.action} {change.after}",
)
def test_everything_else_is_no_news(change: AuditRow) -> None:
    assert event_of(change, "standard") is None


@pytest.mark.parametrize("kind", ["staging", None])
@pytest.mark.parametrize("action", ["file.add", "file.restore", "file.label"])
def test_a_staging_channel_publishes_nothing(action: str, kind: str | None) -> None:
    after = ["broken"] if action == "file.label" else ADDED
    assert event_of(row(action, after=after), kind) is None


REFUSED = {
    "feedstock": "alpha",
    "label": "main",
    "outputs": {FILE: "output not allowed"},
    "errors": ["output not allowed"],
    "comment": "Hi @conda-forge/alpha!",
}


@pytest.mark.parametrize(("action", "failed"), [("copy.refuse", False), ("copy.fail", True)])
def test_a_refusal_carries_what_a_bot_would_comment(action: str, failed: bool) -> None:
    told = event_of(row(action, after=REFUSED, subject="copy-1"), "standard")
    assert told == Event("refused", {**REFUSED, "copy": "copy-1", "failed": failed})


def test_a_patch_set_and_a_ping_are_told() -> None:
    assert event_of(row("patch.apply", {"set": 1}, {"set": 2}), "standard") == Event(
        "patched", {"before": {"set": 1}, "after": {"set": 2}}
    )
    assert event_of(row("webhook.ping", subject="hook"), None) == Event("ping", {})


def test_every_event_that_one_may_ask_for_can_come() -> None:
    samples = {
        "file.add": row("file.add", after=ADDED),
        "copy.refuse": row("copy.refuse", after=REFUSED),
        "file.label": row("file.label", [], ["broken"]),
        "patch.apply": row("patch.apply"),
    }
    told = {event.name for each in samples.values() if (event := event_of(each, "standard")) is not None}
    assert told == set(EVENTS)
    assert samples.keys() <= RULES.keys()


def test_a_message_says_who_did_what_where_when_and_why() -> None:
    change = row("file.add", after=ADDED)
    event = event_of(change, "standard")
    assert event is not None
    assert orjson.loads(body_of(change, event, "hook")) == {
        "type": "published",
        "id": "msg_hook_7_18bcfe56800",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "sequence": 7,
        "channel": "chan",
        "actor": "tok",
        "reason": "why",
        "subject": FILE,
        "data": {**NAMED, **ADDED, "added": ["main", "rc"], "how": "new"},
    }


def test_messages_have_ids_of_their_own() -> None:
    ids = [message_id(*facts) for facts in (("a", 1, 5), ("b", 1, 5), ("a", 2, 5), ("a", 1, 6), ("a", 12, 5))]
    assert len(set(ids)) == len(ids)
