"""Rule: an output is copied if everything about it is in order; otherwise the first thing that is not is the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.promotion.distnames import DistName, malformed
from channeld.promotion.outputs import Standing
from channeld.promotion.verdicts import Outcome, Output, Places, Request, Stored, Verdict, decide, refusals

KEY = "noarch/alpha-1.0-0.conda"
MAIN = frozenset({"main"})


def stored(content: str, labels: frozenset[str] = MAIN, **more: Any) -> Stored:
    """Return a file whose hashes are made up from its content; the md5 of ``a…`` is always the same."""
    return Stored(content[:1] * 32, (content + "0" * 64)[:64], labels, **more)


A, B = stored("a"), stored("b")
COLLIDING = stored("ax")  # the md5 of A, and another sha256
REQUEST = Request("alpha-feedstock", True, False, True, "main", "sha256")
OUTPUT = Output(KEY, A.sha256, Standing.REGISTERED, (A,), None)

CHECKSUM = f"output {KEY} does not have a valid checksum or correct label on cf-staging"


def refused(reason: str, key: str = KEY) -> Verdict:
    return Verdict(key, Outcome.REFUSE, reason)


def test_what_is_in_order_is_copied() -> None:
    assert decide(REQUEST, OUTPUT) == Verdict(KEY, Outcome.COPY, "", A, False)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"names_outputs": False}, ("no outputs data sent for copy",)),
        ({"label": None}, ("no label sent for copy",)),
        ({"feedstock_exists": False}, ("feedstock alpha-feedstock does not exist",)),
        ({"feedstock_archived": True}, ("feedstock alpha-feedstock is archived",)),
        ({"token_ok": False}, ("invalid feedstock token",)),
        ({"hash_type": "sha1"}, ("invalid hash type",)),
        ({"hash_type": "SHA256"}, ("invalid hash type",)),
        (
            {"names_outputs": False, "label": None, "token_ok": False, "hash_type": ""},
            (
                "no outputs data sent for copy",
                "no label sent for copy",
                "invalid feedstock token",
                "invalid hash type",
            ),
        ),
    ],
)
def test_a_request_that_is_not_in_order_copies_nothing(
    change: dict[str, Any], expected: tuple[str, ...]
) -> None:
    request = replace(REQUEST, **change)
    assert refusals(request) == expected
    assert decide(request, OUTPUT) == refused(expected[0])


ROWS: list[tuple[str, dict[str, Any], dict[str, Any], Verdict]] = [
    # name, what differs in the request, what differs in the output, verdict
    ("malformed", {}, {"key": "alpha"}, refused(malformed("alpha"), "alpha")),
    ("no candidate", {}, {"candidates": ()}, refused(CHECKSUM)),
    ("other bytes in staging", {}, {"candidates": (B,)}, refused(CHECKSUM)),
    ("another label", {}, {"candidates": (stored("a", frozenset({"dev"})),)}, refused(CHECKSUM)),
    ("one label too many", {}, {"candidates": (stored("a", frozenset({"dev", "main"})),)}, refused(CHECKSUM)),
    ("no label", {}, {"candidates": (stored("a", frozenset()),)}, refused(CHECKSUM)),
    ("broken", {}, {"candidates": (stored("a", frozenset({"broken", "main"})),)}, refused(CHECKSUM)),
    ("hash in capitals", {}, {"hash": A.sha256.upper()}, refused(CHECKSUM)),
    ("half a hash", {}, {"hash": A.sha256[:32]}, refused(CHECKSUM)),
    ("empty hash", {}, {"hash": ""}, refused(CHECKSUM)),
    ("hash that is no text of any kind", {}, {"hash": "\ud800"}, refused(CHECKSUM)),
    ("md5 given as sha256", {"hash_type": "md5"}, {}, refused(CHECKSUM)),
    ("md5", {"hash_type": "md5"}, {"hash": A.md5}, Verdict(KEY, Outcome.COPY, "", A)),
    ("one of two candidates", {}, {"candidates": (B, A)}, Verdict(KEY, Outcome.COPY, "", A)),
    (
        "two candidates with the md5",
        {"hash_type": "md5"},
        {"hash": A.md5, "candidates": (A, COLLIDING)},
        refused(f"output {KEY} has several candidates with this md5 on cf-staging; send its sha256"),
    ),
    ("two candidates, one sha256", {}, {"candidates": (A, COLLIDING)}, Verdict(KEY, Outcome.COPY, "", A)),
    ("another label asked for", {"label": "rc"}, {"candidates": (A,)}, refused(CHECKSUM)),
    (
        "under another label",
        {"label": "rc"},
        {"candidates": (stored("a", frozenset({"rc"})),)},
        Verdict(KEY, Outcome.COPY, "", stored("a", frozenset({"rc"}))),
    ),
    *(
        (
            f"output {standing.value}",
            {},
            {"standing": standing},
            refused(f"output {KEY} not allowed for conda-forge/alpha-feedstock"),
        )
        for standing in (Standing.FOREIGN, Standing.UNKNOWN)
    ),
    ("output matched", {}, {"standing": Standing.MATCHED}, Verdict(KEY, Outcome.COPY, "", A, False)),
    ("output new", {}, {"standing": Standing.NEW}, Verdict(KEY, Outcome.COPY, "", A, True)),
    (
        "other bytes in production",
        {},
        {"production": B},
        refused(
            f"output {KEY} exists on conda-forge with different content "
            f"(sha256 {B.sha256} there, sha256 {A.sha256} on cf-staging)"
        ),
    ),
    (
        "another file with the md5 in production",
        {"hash_type": "md5"},
        {"hash": A.md5, "production": COLLIDING},
        refused(
            f"output {KEY} exists on conda-forge with different content "
            f"(sha256 {COLLIDING.sha256} there, sha256 {A.sha256} on cf-staging)"
        ),
    ),
    ("the same bytes in production", {}, {"production": A}, Verdict(KEY, Outcome.DONE, "", A)),
    (
        "the same bytes in production under another label",
        {},
        {"production": stored("a", frozenset({"dev"}))},
        Verdict(KEY, Outcome.COPY, "", A),
    ),
    (
        "the same bytes in production, marked as broken",
        {},
        {"production": stored("a", frozenset({"main", "broken"}))},
        Verdict(KEY, Outcome.DONE, "", A),
    ),
    ("done before", {}, {"candidates": (), "production": A}, Verdict(KEY, Outcome.DONE)),
    (
        "done before, asked with the md5",
        {"hash_type": "md5"},
        {"hash": A.md5, "candidates": (), "production": A},
        Verdict(KEY, Outcome.DONE),
    ),
    ("done before with other bytes", {}, {"candidates": (), "production": B}, refused(CHECKSUM)),
    (
        "done before under another label",
        {},
        {"candidates": (), "production": stored("a", frozenset({"dev"}))},
        refused(CHECKSUM),
    ),
    (
        "done before, and the output is not the feedstock's (any more)",
        {},
        {"candidates": (), "production": A, "standing": Standing.FOREIGN},
        refused(f"output {KEY} not allowed for conda-forge/alpha-feedstock"),
    ),
    *(
        (
            f"deleted from production with {name} bytes",
            {},
            {"production": replace(there, deleted=True, labels=frozenset())},
            refused(f"output {KEY} was deleted from conda-forge"),
        )
        for name, there in (("the same", A), ("other", B))
    ),
    (
        "deleted from production, and gone from staging",
        {},
        {"candidates": (), "production": replace(A, deleted=True)},
        refused(CHECKSUM),
    ),
]


@pytest.mark.parametrize(
    ("request_change", "output_change", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_every_row_of_the_table(
    request_change: dict[str, Any], output_change: dict[str, Any], expected: Verdict
) -> None:
    verdict = decide(replace(REQUEST, **request_change), replace(OUTPUT, **output_change))
    assert verdict == expected
    assert verdict.accepted is (verdict.reason == "")


def test_the_channels_are_called_by_their_names() -> None:
    places = Places("stage", "prod")
    reasons = [
        decide(REQUEST, replace(OUTPUT, **change), places).reason
        for change in ({"candidates": ()}, {"standing": Standing.UNKNOWN})
    ]
    assert reasons == [
        f"output {KEY} does not have a valid checksum or correct label on stage",
        f"output {KEY} not allowed for prod/alpha-feedstock",
    ]


def test_the_first_thing_that_is_wrong_is_the_reason() -> None:
    wrong = Output("alpha", "", Standing.UNKNOWN, (), replace(B, deleted=True))
    request = replace(REQUEST, token_ok=False)
    assert decide(request, wrong).reason == "invalid feedstock token"
    assert decide(REQUEST, wrong).reason == malformed("alpha")
    assert decide(REQUEST, replace(wrong, key=KEY)).reason == CHECKSUM
    right = replace(wrong, key=KEY, hash=A.sha256, candidates=(A,))
    assert decide(REQUEST, right).reason.startswith(f"output {KEY} not allowed")
    assert decide(REQUEST, replace(right, standing=Standing.NEW)).reason.endswith(
        "was deleted from conda-forge"
    )


LABELS = st.frozensets(st.sampled_from(["main", "dev", "broken"]), max_size=2)
FILES = st.builds(
    lambda content, labels, deleted: stored(content, labels, deleted=deleted),
    st.sampled_from(["a", "ax", "b"]),
    LABELS,
    st.booleans(),
)
REQUESTS = st.builds(
    Request,
    st.just("alpha-feedstock"),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["main", "dev", None]),
    st.sampled_from(["md5", "sha256", "sha1"]),
    st.booleans(),
)
OUTPUTS = st.builds(
    Output,
    st.sampled_from([KEY, "alpha", "noarch/alpha.conda"]),
    st.sampled_from([A.md5, A.sha256, B.sha256, ""]),
    st.sampled_from(Standing),
    st.lists(FILES.map(lambda file: replace(file, deleted=False)), max_size=3).map(tuple),
    st.none() | FILES,
)
MOSTLY_RIGHT = st.builds(
    lambda request, ok: (
        replace(request, feedstock_exists=True, feedstock_archived=False, token_ok=True, names_outputs=True)
        if ok
        else request
    ),
    REQUESTS,
    st.booleans(),
)


@settings(deadline=None, max_examples=1000)
@given(MOSTLY_RIGHT, OUTPUTS)
def test_nothing_is_accepted_unless_every_precondition_holds(request: Request, output: Output) -> None:
    verdict = decide(request, output)
    if not verdict.accepted:
        assert verdict == refused(verdict.reason, output.key)
        assert verdict.reason
        return

    assert request.token_ok
    assert request.feedstock_exists
    assert not request.feedstock_archived
    assert request.names_outputs
    assert request.label is not None
    assert request.hash_type in ("md5", "sha256")
    assert DistName.parse(output.key) is not None
    assert output.standing.allowed
    assert verdict.registers is (output.standing is Standing.NEW)
    there = output.production
    assert there is None or not there.deleted
    if verdict.outcome is Outcome.COPY:
        assert verdict.candidate in output.candidates
        assert verdict.candidate is not None
        assert verdict.candidate.labels == {request.label}
        assert output.hash in (verdict.candidate.md5, verdict.candidate.sha256)
        assert there is None or there.sha256 == verdict.candidate.sha256
    else:
        assert there is not None
        assert request.label in there.labels
        assert output.hash in (there.md5, there.sha256)


@settings(deadline=None, max_examples=500)
@given(REQUESTS, OUTPUTS)
def test_no_output_of_a_request_that_is_refused_is_accepted(request: Request, output: Output) -> None:
    if refusals(request):
        assert decide(request, output) == refused(refusals(request)[0], output.key)


@settings(deadline=None, max_examples=500)
@given(OUTPUTS)
def test_a_verdict_that_was_carried_out_is_done_when_it_is_asked_for_again(output: Output) -> None:
    verdict = decide(REQUEST, output)
    if verdict.outcome is Outcome.COPY:
        assert verdict.candidate is not None
        before = output.production.labels if output.production is not None else frozenset()
        after = replace(verdict.candidate, labels=before | {"main"})
        again = replace(output, candidates=(), production=after, standing=Standing.REGISTERED)
        assert decide(REQUEST, again) == Verdict(output.key, Outcome.DONE)
