"""What is wrong with a request is told, all of it, with its key and line; and nothing dangerous is built on the way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.promotion import requestreading
from channeld.promotion.requestdocument import SIZE_LIMIT, Syntax
from channeld.promotion.requestreading import read_request
from channeld.promotion.requests import Action, RequestMalformed

SHA256 = "0" * 64
FORM = "<channel>[/label/<label>]/<subdir>/<file name>"
COPY_KEYS = "action, anaconda_org_packages, to_anaconda_org_label, channel, reason"


def problems(text: str | bytes, syntax: Syntax = "yaml") -> list[tuple[int, str]]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(RequestMalformed) as caught:
        read_request(data, syntax, "requests/a.yml")
    return [(problem.line, str(problem)) for problem in caught.value.problems]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = f"""\
action: cfep3_copy
anaconda_org_packages:
  - package: someone/noarch/alpha-1.0-0.conda
    sha256: abc
  - package: alpha-1.0-0.conda
    sha256: {SHA256}
  - package: Some One/label/a b/nowhere/alpha.conda
    sha256: {SHA256}
    md5: 1
  - alpha
  - package: someone/noarch/beta-1.0-0.conda
    sha256: {SHA256}
  - package: other/noarch/beta-1.0-0.conda
    sha256: {"1" * 64}
  - {{sha256: {SHA256}}}
to_anaconda_org_label: a//b
channel: No Name
chanel: tools
"""
    assert problems(text) == [
        (4, "anaconda_org_packages[0].sha256 has to be a SHA-256: 64 hexadecimal digits"),
        (
            5,
            f"anaconda_org_packages[1].package 'alpha-1.0-0.conda' is not of the form {FORM}",
        ),
        (7, "anaconda_org_packages[2].package is refused: 'nowhere' is not a subdir"),
        (7, "anaconda_org_packages[2].package is refused: 'Some One' is not a channel name"),
        (7, "anaconda_org_packages[2].package is refused: 'a b' is not a label"),
        (9, "anaconda_org_packages[2].md5 is a key that means nothing; known are package, sha256"),
        (10, "anaconda_org_packages[3] has to be a mapping with `package` and `sha256`"),
        (
            13,
            "anaconda_org_packages[5] names other bytes for noarch/beta-1.0-0.conda than anaconda_org_packages[4] does",
        ),
        (15, "anaconda_org_packages[6].package is missing"),
        (16, "to_anaconda_org_label is refused: 'a//b' is not a label"),
        (17, "channel is refused: 'No Name' is not a channel name"),
        (
            18,
            f"chanel is a key that means nothing; known are {COPY_KEYS}",
        ),
    ]


def test_the_sentence_tells_the_first_and_counts_the_others() -> None:
    with pytest.raises(RequestMalformed) as caught:
        read_request(b"action: broken\npackages: [a, b, c]\n", "yaml", "requests/a.yml")
    assert caught.value.sentence() == (
        "requests/a.yml is no request that can be applied: packages[0] 'a' is not of the form "
        "<subdir>/<file name> on line 2 (and 2 more)."
    )


KNOWN = ", ".join(Action)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, "it is no mapping from keys to values, with `action` among them")),
        ("- a", (1, "it is no mapping from keys to values, with `action` among them")),
        ("packages: []", (1, f"action is missing; it is one of {KNOWN}")),
        ("action:", (1, "action has to be a text")),
        ("action: [broken]", (1, "action has to be a text")),
        ("action: break", (1, f"action cannot be 'break'; it is one of {KNOWN}")),
        (
            "feedstocks: [zlib]\naction: travis",
            (2, "action 'travis' is about access to a CI service, which channeld has nothing to do with"),
        ),
        (
            "action: archive_branch\nfeedstocks: {zlib: [main]}",
            (1, "action 'archive_branch' is about a branch of a git repository, which channeld has nothing to do with"),
        ),
        ("action: archive", (1, "feedstocks is missing: it has what the action archive is about")),
        ("action: archive\nfeedstocks: []", (2, "feedstocks has to be a list that is not empty")),
        ("action: archive\nfeedstocks: zlib", (2, "feedstocks has to be a list that is not empty")),
        ("action: archive\nfeedstocks:\n- zlib\n-\n", (4, "feedstocks[1] has to be a text")),
        ("action: archive\nfeedstocks: [a/b]", (2, "feedstocks[0] is refused: 'a/b' is not the name of a feedstock")),
        (
            "action: archive\nfeedstocks: ['-feedstock']",
            (2, "feedstocks[0] is refused: '' is not the name of a feedstock"),
        ),
        ("action: broken\npackages: [a/../b-1-0.conda]", (2, "packages[0] is refused: 'a' is not a subdir")),
        (
            "action: broken\npackages: [noarch/a-1.conda]",
            (2, "packages[0] is refused: 'a-1.conda' does not name a package, a version and a build"),
        ),
        (
            "action: broken\npackages: [noarch/x/a-1-0.conda]",
            (2, "packages[0] is refused: 'x/a' is not a package name"),
        ),
        (
            f"action: broken\npackages: [noarch/a-1-0.conda]\nreason: {'x' * 501}",
            (3, "reason has more than 500 characters"),
        ),
        (
            "action: add_feedstock_output\nfeedstock_to_output_mapping:\n- a: b",
            (3, "feedstock_to_output_mapping has to be a mapping from feedstocks to lists of outputs"),
        ),
        (
            "action: add_feedstock_output\nfeedstock_to_output_mapping:\n  a: b",
            (3, "feedstock_to_output_mapping.a has to be a list that is not empty"),
        ),
        (
            "action: add_feedstock_output\nfeedstock_to_output_mapping:\n  a: ['*']",
            (3, "feedstock_to_output_mapping.a[0] is refused: Output names of length one are not allowed: '*'"),
        ),
        (
            "action: add_feedstock_output\nfeedstock_to_output_mapping:\n  a: ['**']",
            (3, "feedstock_to_output_mapping.a[0] is refused: The glob '**' is not taken"),
        ),
        (
            "action: token_reset\nfeedstocks: [a]\nskip_providers: [azur]",
            (3, "skip_providers[0] 'azur' is none of appveyor, azure, circle, drone, github_actions, travis"),
        ),
        (
            "action: token_reset\nfeedstocks: [a]\nskip_providers: [azure]\nproviders: [azure]",
            (3, "skip_providers leaves no CI service to make a token for"),
        ),
        (
            "action: token_reset\nfeedstocks: [a]\nproviders: ['a b']",
            (3, "providers[0] 'a b' is not the name of a CI service"),
        ),
        (
            "action: token_reset\nfeedstocks: [a]\nexisting_tokens_time_to_expiration: 1h",
            (3, "existing_tokens_time_to_expiration has to be a whole number of seconds, or null"),
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_words(text: str, expected: tuple[int, str]) -> None:
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("action: archive\naction: archive", (2, "it has the key 'action' twice")),
        ("action: archive\nfeedstocks: {a: [], a: []}", (2, "it has the key 'a' twice")),
        ("action: add\nx: [*lib]", (2, "it has an alias; write a glob that begins with * in quotes")),
        ("action: add\nx:\n- !lib*\n", (3, "it has a tag; write a text that begins with ! in quotes")),
        ("x: !!python/object:os.system []", (1, "it has a tag; write a text that begins with ! in quotes")),
        ("action: &a add", (1, "it has an anchor; write a text that begins with & in quotes")),
        ("action: archive\n---\naction: archive", (2, "it has more than one document")),
        ("[a]: b", (1, "it has a key that is not a text")),
        ("? {a: b}\n: b", (1, "it has a key that is not a text")),
        ("~: b", (1, "it has a key that is not a text")),
        ("a: [[[[[[[[", (1, "it is nested more than 6 levels deep")),
        ("a: [" + "a, " * 60_000, (0, "it has more than 50000 parts")),
        (b"action: \xff", (0, "it is not UTF-8")),
        ("action: a\0b", (0, "it is not YAML (it has a character that YAML does not have)")),
        ("a" * (SIZE_LIMIT + 1), (0, f"it is larger than {SIZE_LIMIT} bytes")),
    ],
)  # fmt: skip
def test_dangerous_yaml_is_refused(text: str | bytes, expected: tuple[int, str]) -> None:
    assert problems(text) == [expected]


def test_yaml_that_breaks_off_is_refused_with_its_line() -> None:
    ((line, text),) = problems("action: broken\npackages:\n\t- a\n")
    assert line == 3
    assert text.startswith("it is not YAML (")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"action": "archive", "action": "archive"}', (0, "it has the key 'action' twice")),
        ("[" * 100_000, (0, "it is not JSON")),
        ('{"a": [[[[[[[]]]]]]]}', (0, "it is nested more than 6 levels deep")),
        ('{"a": NaN}', (0, "it is not JSON")),
        ("{\n]", (2, "it is not JSON (Expecting property name enclosed in double quotes)")),
        ("", (1, "it is not JSON (Expecting value)")),
        ("action: archive", (1, "it is not JSON (Expecting value)")),
        ('{"action": true}', (0, f"action cannot be 'true'; it is one of {KNOWN}")),
        (
            '{"action": ' + "1" * 10_000 + "}",
            (0, f"action cannot be {'1' * 80 + '…'!r}; it is one of {KNOWN}"),
        ),
    ],
)
def test_json_is_read_as_strictly(text: str, expected: tuple[int, str]) -> None:
    assert problems(text, "json") == [expected]


def test_a_request_is_about_a_limited_number_of_things(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MOST_ENTRIES", "MOST_RESETS", "MOST_COPIES"):
        monkeypatch.setattr(requestreading, limit, 2)
    too_many = "has 3 entries, more than 2; divide it among requests"
    assert problems("{action: archive, feedstocks: [a, b, c]}") == [(1, f"feedstocks {too_many}")]
    assert problems("{action: token_reset, feedstocks: [a, b, c]}") == [(1, f"feedstocks {too_many}")]
    assert problems("{action: broken, packages: [a, b, c]}") == [(1, f"packages {too_many}")]
    outputs = "{action: add_feedstock_output, feedstock_to_output_mapping: {a: [xx, yy], b: [zz]}}"
    assert problems(outputs) == [(1, f"feedstock_to_output_mapping {too_many}")]


def told(text: str, syntax: Syntax) -> list[str]:
    """Return all that is said of a request; at least one line where it is refused."""
    try:
        read_request(text.encode(), syntax, "a")
    except RequestMalformed as error:
        return [str(error.problems[0]), *map(str, error.problems), error.sentence()]
    return []


WORDS = """
action packages feedstocks broken cfep3_copy token_reset feedstock_to_output_mapping archive sha256 package
anaconda_org_packages noarch/a-1-0.conda add_feedstock_output [ ] { } ' " * & ! | # é \0 \N{ESCAPE}
"""
PIECES = st.sampled_from([": ", ":\n", "\n", "\n- ", "\n  ", ", ", "\t", *WORDS.split()])


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(["yaml", "json"]))
def test_whatever_comes_is_read_or_refused_in_one_line_each(text: str, syntax: Syntax) -> None:
    for line in told(text, syntax):
        assert line.isprintable()
