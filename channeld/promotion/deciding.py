"""Deciding about a copy: what the rules ask, read out of the catalog, and what they say of each output.

It is done twice with the same code: when a copy is asked for, from the candidates that staging has then; and in the
transaction that carries it out, from the bytes that were pinned, with everything else as it is by then. Whoever calls
has locked both channels, or looks at a snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from channeld.catalog import candidates, channels, feedstocks, labels, selection, tokens
from channeld.catalog.candidates import Candidate
from channeld.catalog.channels import Channel
from channeld.catalog.copies import Pin
from channeld.catalog.feedstocks import Feedstock
from channeld.catalog.labels import BROKEN
from channeld.catalog.listing import labels_of
from channeld.catalog.rejections import LabelLocked, TokenMissing
from channeld.errors import Rejected
from channeld.formats.rejections import BadName
from channeld.promotion.asking import MD5, SHA256, Asked
from channeld.promotion.distnames import DistName
from channeld.promotion.outputs import Standing
from channeld.promotion.verdicts import (
    Outcome,
    Output,
    Places,
    Request,
    Stored,
    Verdict,
    decide,
    refusals,
)


class Standings(Protocol):
    """Tells how outputs stand to a feedstock (``promotion.registry``)."""

    def standings(
        self, connection: Connection, channel_id: int, feedstock: str, names: Sequence[str]
    ) -> Mapping[str, Standing]:
        """Return the standing of each output, by the name that was asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What staging has, or a copy holds on to, that an output may mean: as the rules see it, and how it is pinned."""

    stored: Stored
    pin: Pin


@dataclass(frozen=True, slots=True)
class Decided:
    """One output, and what becomes of it."""

    verdict: Verdict
    #: The file that it names; None where its key names none.
    dist: DistName | None
    #: The bytes that are copied; None where none are.
    pin: Pin | None = None
    #: The sha256 of the bytes that are meant; "" where that is not known.
    sha256: str = ""

    @property
    def place(self) -> tuple[str, str] | None:
        """Subdir and file name; None where its key names no file."""
        return None if self.dist is None else _place(self.dist)


def _place(dist: DistName) -> tuple[str, str]:
    return dist.subdir, str(dist.file)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a request."""

    production: Channel
    feedstock: Feedstock | None
    #: What is wrong with the request as a whole.
    problems: tuple[str, ...]
    outputs: tuple[Decided, ...]


def decide_about(
    connection: Connection,
    asked: Asked,
    registry: Standings,
    now_ms: int,
    held: Sequence[Pin] | None = None,
) -> Decision:
    """Decide about a request.

    Args:
        held: what the copy holds on to; None while it is only asked for, and candidates are looked for on staging.

    Raises:
        ChannelMissing: there is no such channel to copy into.
    """
    production = channels.get(connection, asked.channel)
    feedstock = feedstocks.find(connection, production.id, asked.feedstock) if asked.feedstock else None
    request = _request(connection, asked, production, feedstock, now_ms)
    problems = (*refusals(request), *_channel_problems(connection, asked, production))
    facts = _Facts(connection, asked, production, registry, held)
    places = Places(asked.staging, asked.channel)
    decided = tuple(facts.decide(request, key, value, places) for key, value in (asked.outputs or {}).items())
    if problems:
        decided = tuple(_refused(one, problems[0]) for one in decided)
    return Decision(production, feedstock, problems, decided)


def _request(
    connection: Connection, asked: Asked, production: Channel, feedstock: Feedstock | None, now_ms: int
) -> Request:
    if asked.by_hand:
        known, archived, token_ok = True, False, _token_is_valid(connection, asked.asker.token, now_ms)
    else:
        known = feedstock is not None
        archived = feedstock is not None and feedstock.archived_ms is not None
        token_ok = feedstock is not None and _feedstock_token_counts(connection, asked, feedstock, now_ms)
    return Request(
        feedstock=asked.repository,
        feedstock_exists=known,
        feedstock_archived=archived,
        token_ok=token_ok,
        label=asked.label,
        hash_type=asked.hash_type,
        names_outputs=asked.outputs is not None,
        hash_types=(SHA256,) if production.settings.copies_by_md5 == "refuse" else (SHA256, MD5),
    )


def _token_is_valid(connection: Connection, token_id: str, now_ms: int) -> bool:
    """Tell whether a token of this server still counts; "" stands for a local command, which needs none."""
    try:
        return not token_id or tokens.get(connection, token_id).valid(now_ms)
    except TokenMissing:
        return False


def _feedstock_token_counts(connection: Connection, asked: Asked, feedstock: Feedstock, now_ms: int) -> bool:
    row_id = asked.asker.feedstock_token
    return row_id is not None and any(
        token.id == row_id and token.counts(asked.provider, now_ms)
        for token in feedstocks.tokens_of(connection, feedstock.id)
    )


def _channel_problems(connection: Connection, asked: Asked, production: Channel) -> tuple[str, ...]:
    """Say what keeps the two channels from having anything copied between them."""
    staging = channels.find(connection, asked.staging)
    if staging is None:
        return (f"there is no channel {asked.staging}",)
    if not asked.by_hand and staging.settings.promotes_to != production.name:
        return (f"{asked.staging} does not promote to {asked.channel}",)
    if production.settings.kind != "standard":
        return (f"{asked.channel} is for staging itself",)
    if asked.label == BROKEN:
        return (f"the label {BROKEN} is not copied: it would hide what has the name already",)
    return ()


class _Facts:
    """Looks up what the rules ask about each output."""

    def __init__(
        self,
        connection: Connection,
        asked: Asked,
        production: Channel,
        registry: Standings,
        held: Sequence[Pin] | None,
    ) -> None:
        self._connection = connection
        self._asked = asked
        self._production = production
        self._dists = {key: DistName.parse(key) for key in asked.outputs or {}}
        places = [_place(dist) for dist in self._dists.values() if dist is not None]
        self._standings = self._all_standings(registry)
        self._offered = self._candidates(places) if held is None else self._pinned(held)
        self._there = selection.named(connection, production, places)
        live = [file.id for files in self._there.values() for file in files if file.deleted_ms is None]
        self._labels = labels_of(connection, live)
        self._closed = self._why_label_is_closed()

    def _all_standings(self, registry: Standings) -> Mapping[str, Standing]:
        names = list(dict.fromkeys(dist.file.name for dist in self._dists.values() if dist is not None))
        if self._asked.by_hand or not names:
            return dict.fromkeys(names, Standing.REGISTERED)
        return registry.standings(self._connection, self._production.id, self._asked.feedstock, names)

    def _why_label_is_closed(self) -> str:
        """Say why no file of production may get the label; "" where it may."""
        if self._asked.label is None:
            return ""
        try:
            labels.check_open(self._connection, self._production, [self._asked.label])
        except (LabelLocked, BadName) as error:
            return _as_clause(error)
        return ""

    def decide(self, request: Request, key: str, value: str, places: Places) -> Decided:
        dist = self._dists[key]
        found = self._offered.get(_place(dist), []) if dist is not None else []
        production = self._stored_in_production(dist) if dist is not None else None
        standing = self._standings.get(dist.file.name, Standing.UNKNOWN) if dist else Standing.UNKNOWN
        output = Output(key, value, standing, tuple(each.stored for each in found), production)
        verdict = decide(request, output, places)
        if verdict.outcome is Outcome.COPY and self._closed:
            verdict = Verdict(key, Outcome.REFUSE, f"output {key} was not copied: {self._closed}")
        if not verdict.accepted:
            return Decided(verdict, dist, sha256=value if request.hash_type == SHA256 else "")
        meant = verdict.candidate or production
        assert meant is not None, "what is accepted is in one of the two channels"
        chosen = next((each.pin for each in found if each.stored == verdict.candidate), None)
        return Decided(verdict, dist, chosen, meant.sha256)

    def _candidates(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[Found]]:
        """Return what staging has."""
        staging = channels.find(self._connection, self._asked.staging)
        if staging is None:
            return {}
        listed = candidates.candidates_at(self._connection, staging, places)
        return {place: list(map(_found, some)) for place, some in listed.items()}

    def _pinned(self, held: Sequence[Pin]) -> dict[tuple[str, str], list[Found]]:
        """Return what the copy holds on to: under the label, whatever has become of the candidates."""
        label = frozenset({self._asked.label or ""})
        return {(pin.subdir, pin.filename): [Found(Stored(pin.md5, pin.sha256, label), pin)] for pin in held}

    def _stored_in_production(self, dist: DistName) -> Stored | None:
        held = self._there.get(_place(dist))
        if not held:
            return None
        file = held[-1]
        carried = frozenset(self._labels.get(file.id, ()))
        return Stored(file.md5, file.sha256, carried, deleted=file.deleted_ms is not None)


def _found(candidate: Candidate) -> Found:
    file = candidate.file
    pin = Pin(file.subdir, file.filename, file.artifact_id, file.sha256, file.md5, file.size)
    return Found(Stored(file.md5, file.sha256, frozenset(candidate.labels)), pin)


def _refused(decided: Decided, reason: str) -> Decided:
    if not decided.verdict.accepted:
        return decided
    return Decided(Verdict(decided.verdict.key, Outcome.REFUSE, reason), decided.dist, sha256=decided.sha256)


def _as_clause(error: Rejected) -> str:
    """Write the sentence of an error as it stands behind a colon."""
    sentence = error.sentence().rstrip(".")
    return sentence[:1].lower() + sentence[1:]
