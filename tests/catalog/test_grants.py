"""Rule: a grant allows its verbs where all its patterns match, and nothing else."""

from __future__ import annotations

import pytest

from channeld.catalog.grants import ADMINISTRATOR, Grant, Verb, allows, may_allow, missing
from channeld.catalog.rejections import GrantMalformed

NUMPY = Grant(frozenset({Verb.UPLOAD, Verb.READ}), channels="team-*", labels="dev*", packages="numpy*")


@pytest.mark.parametrize(
    ("verb", "channel", "label", "package", "allowed"),
    [
        (Verb.UPLOAD, "team-a", "dev", "numpy", True),
        (Verb.UPLOAD, "team-a", "dev/x", "numpy-base", True),
        (Verb.READ, "team-", "dev", "numpy", True),
        (Verb.DELETE, "team-a", "dev", "numpy", False),
        (Verb.UPLOAD, "team", "dev", "numpy", False),
        (Verb.UPLOAD, "team-a", "main", "numpy", False),
        (Verb.UPLOAD, "team-a", "dev", "scipy", False),
        # about no label or package in particular: about all of them
        (Verb.UPLOAD, "team-a", "dev", None, False),
        (Verb.UPLOAD, "team-a", None, "numpy", False),
        (Verb.UPLOAD, None, "dev", "numpy", False),
    ],
)
def test_a_grant_allows_what_it_says(
    verb: Verb, channel: str | None, label: str | None, package: str | None, allowed: bool
) -> None:
    assert allows([NUMPY], verb, channel, label, package) is allowed
    assert allows((), verb, channel, label, package) is False
    assert allows([ADMINISTRATOR], verb, channel, label, package) is True


def test_two_grants_do_not_add_up_to_a_third() -> None:
    """One may upload to one channel, the other is for one label: together they do not open the label there."""
    here = Grant(frozenset({Verb.UPLOAD}), channels="a", labels="dev")
    there = Grant(frozenset({Verb.UPLOAD}), channels="b", labels="main")

    assert not allows([here, there], Verb.UPLOAD, "a", "main", "x")
    assert allows([here, there], Verb.UPLOAD, "a", "dev", "x")


def test_an_administrator_of_some_channels_is_none_of_the_server() -> None:
    some = Grant(frozenset(Verb), channels="team-*")

    assert allows([some], Verb.ADMIN, "team-a")
    assert not allows([some], Verb.ADMIN, "other")
    assert not allows([some], Verb.ADMIN, None)
    assert allows([ADMINISTRATOR], Verb.ADMIN, None)


def test_what_could_be_allowed_is_asked_before_all_is_known() -> None:
    assert may_allow([NUMPY], Verb.UPLOAD, "team-a")
    assert may_allow([NUMPY], Verb.UPLOAD, "team-a", label="dev")
    assert may_allow([NUMPY], Verb.UPLOAD, "team-a", package="numpy")
    assert not may_allow([NUMPY], Verb.UPLOAD, "team-a", label="main")
    assert not may_allow([NUMPY], Verb.UPLOAD, "team-a", package="scipy")
    assert not may_allow([NUMPY], Verb.LABEL, "team-a")
    assert not may_allow([NUMPY], Verb.UPLOAD, "other")


@pytest.mark.parametrize(
    ("held", "verb", "channel", "label", "package", "sentence"),
    [
        (
            [],
            Verb.UPLOAD,
            "chan",
            None,
            None,
            "This needs a token with the right 'upload' on the channel 'chan'.",
        ),
        (
            [NUMPY],
            Verb.UPLOAD,
            "chan",
            "dev",
            "numpy",
            "This needs a token with the right 'upload' on the channel 'chan'.",
        ),
        (
            [NUMPY],
            Verb.UPLOAD,
            "team-a",
            "main",
            "numpy",
            "The token's right 'upload' on the channel 'team-a' does not extend to the label 'main'.",
        ),
        (
            [NUMPY],
            Verb.READ,
            "team-a",
            None,
            None,
            "The token's right 'read' on the channel 'team-a' does not extend to all labels.",
        ),
        (
            [NUMPY],
            Verb.UPLOAD,
            "team-a",
            "dev",
            "scipy",
            "The token's right 'upload' on the channel 'team-a' does not extend to the package 'scipy'.",
        ),
        (
            [NUMPY],
            Verb.ADMIN,
            None,
            None,
            None,
            "This needs a token with the right 'admin' on the server as a whole.",
        ),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    held: list[Grant], verb: Verb, channel: str | None, label: str | None, package: str | None, sentence: str
) -> None:
    assert not allows(held, verb, channel, label, package)
    assert missing(held, verb, channel, label, package) == sentence
    assert "numpy" not in sentence or package == "numpy"  # the token's own patterns are not told


def test_a_grant_is_written_and_read_back() -> None:
    written = NUMPY.as_json()

    assert written == {
        "verbs": ["read", "upload"],
        "channels": "team-*",
        "labels": "dev*",
        "packages": "numpy*",
    }
    assert Grant.parse(written) == Grant.stored(written) == NUMPY
    assert Grant.parse({"verbs": ["read"]}) == Grant(frozenset({Verb.READ}))


def test_a_verb_of_a_newer_program_allows_nothing() -> None:
    written = {**NUMPY.as_json(), "verbs": ["read", "teleport"]}

    assert Grant.stored(written).verbs == {Verb.READ}


@pytest.mark.parametrize(
    "value",
    [
        "read",
        None,
        ["read"],
        {},
        {"verbs": []},
        {"verbs": "read"},
        {"verbs": ["teleport"]},
        {"verbs": [["read"]]},
        {"verbs": ["read"], "channels": ""},
        {"verbs": ["read"], "channels": 7},
        {"verbs": ["read"], "channels": None},
        {"verbs": ["read"], "labels": "[ab]"},
        {"verbs": ["read"], "labels": "a b"},
        {"verbs": ["read"], "packages": "ä"},
        {"verbs": ["read"], "packages": "a\n"},
        {"verbs": ["read"], "packages": "*" * 257},
        {"verbs": ["read"], "chanels": "x"},
    ],
)
def test_a_grant_that_cannot_be_understood_is_refused(value: object) -> None:
    """Least of all is a misspelt field taken for one that was left out, which would mean everything."""
    with pytest.raises(GrantMalformed):
        Grant.parse(value)
