"""Requests are read as conda-forge writes them: the examples of its ``admin-requests``, with their keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channeld.formats.names import FileName, Naming
from channeld.promotion.distnames import DistName
from channeld.promotion.requestreading import USUAL_PROVIDERS, read_request
from channeld.promotion.requests import (
    Action,
    Archiving,
    CopiedFile,
    Copying,
    FeedstockOutput,
    MarkedFile,
    Marking,
    NamedFeedstock,
    Registering,
    Request,
    TokenReset,
)

SHA256 = "cd11f1f0fbe8c203212d002ca4e01795d0b1c886ce47d8b08e6bca3366a7c8e6"


def read(text: str) -> Request:
    return read_request(text.encode(), "yaml", "request.yml")


def dist(subdir: str, filename: str) -> DistName:
    return DistName(subdir, FileName.parse(filename, Naming.LEGACY))


BROKEN = """\
action: broken
packages:
- linux-aarch64/cf-autotick-bot-test-package-0.13-py38h2063c64_0.tar.bz2
- noarch/Alpha-1.0-0.conda
"""
MARKED = (
    MarkedFile(
        "packages[0]", dist("linux-aarch64", "cf-autotick-bot-test-package-0.13-py38h2063c64_0.tar.bz2")
    ),
    MarkedFile("packages[1]", dist("noarch", "Alpha-1.0-0.conda")),
)

OUTPUTS = """\
action: add_feedstock_output
feedstock_to_output_mapping:
  # a package
  clang-compiler-activation-feedstock:
    - clang_impl_osx-64
    - 1.10
  # a glob
  llvmdev:
    - "libllvm*"
"""
REGISTERED = (
    FeedstockOutput(
        "feedstock_to_output_mapping.clang-compiler-activation-feedstock[0]",
        "clang-compiler-activation",
        "clang_impl_osx-64",
    ),
    FeedstockOutput(
        "feedstock_to_output_mapping.clang-compiler-activation-feedstock[1]",
        "clang-compiler-activation",
        "1.10",
    ),
    FeedstockOutput("feedstock_to_output_mapping.llvmdev[0]", "llvmdev", "libllvm*"),
)

RESET = """\
action: token_reset
feedstocks:
- zlib
# can be a list with azure, travis, circle, drone, appveyor, github_actions
# skip_providers: []
# existing_tokens_time_to_expiration: null
"""

COPY = f"""\
action: cfep3_copy
anaconda_org_packages:
  - package: someone/label/tools-24.7.1/osx-arm64/tools-24.7.1-hce30654_0.conda
    sha256: {SHA256}
  - package: someone/noarch/alpha-1.0-0.tar.bz2
    sha256: {SHA256.upper()}
to_anaconda_org_label: main  # optional, default=main
"""
COPIED = (
    CopiedFile(
        "anaconda_org_packages[0]",
        "someone",
        "tools-24.7.1",
        dist("osx-arm64", "tools-24.7.1-hce30654_0.conda"),
        SHA256,
    ),
    CopiedFile("anaconda_org_packages[1]", "someone", "main", dist("noarch", "alpha-1.0-0.tar.bz2"), SHA256),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BROKEN, Request(Action.BROKEN, Marking(broken=True, entries=MARKED))),
        (
            BROKEN.replace("broken", "not_broken", 1),
            Request(Action.NOT_BROKEN, Marking(broken=False, entries=MARKED)),
        ),
        (
            "action: archive\nfeedstocks:\n  - zlib\n  - numpy-feedstock\n  - zlib\n",
            Request(
                Action.ARCHIVE,
                Archiving(
                    archived=True,
                    entries=(
                        NamedFeedstock("feedstocks[0]", "zlib"),
                        NamedFeedstock("feedstocks[1]", "numpy"),
                    ),
                ),
            ),
        ),
        (
            "{action: unarchive, feedstocks: [zlib]}",
            Request(
                Action.UNARCHIVE,
                Archiving(archived=False, entries=(NamedFeedstock("feedstocks[0]", "zlib"),)),
            ),
        ),
        (OUTPUTS, Request(Action.ADD_OUTPUT, Registering(registered=True, entries=REGISTERED))),
        (
            OUTPUTS.replace("add_", "remove_", 1),
            Request(Action.REMOVE_OUTPUT, Registering(registered=False, entries=REGISTERED)),
        ),
        (
            RESET,
            Request(
                Action.TOKEN_RESET,
                TokenReset((NamedFeedstock("feedstocks[0]", "zlib"),), USUAL_PROVIDERS, overlap_seconds=0),
            ),
        ),
        (COPY, Request(Action.COPY, Copying("main", COPIED))),
    ],
)
def test_a_request_is_read(text: str, expected: Request) -> None:
    assert read(text) == expected


def test_globs_are_told_from_outputs() -> None:
    work = read(OUTPUTS).work
    assert isinstance(work, Registering)
    assert [entry.is_glob for entry in work.entries] == [False, False, True]


@pytest.mark.parametrize(
    ("more", "providers", "overlap"),
    [
        ("skip_providers: [azure, travis]", ("appveyor", "github_actions"), 0),
        ("skip_providers: []", USUAL_PROVIDERS, 0),
        ("skip_providers:", USUAL_PROVIDERS, 0),
        ("providers: [gitlab, azure, gitlab]", ("gitlab", "azure"), 0),
        ("providers: [gitlab, azure]\nskip_providers: [azure]", ("gitlab",), 0),
        ("existing_tokens_time_to_expiration: 3600", USUAL_PROVIDERS, 3600),
        ("existing_tokens_time_to_expiration: 0", USUAL_PROVIDERS, 0),
        ("existing_tokens_time_to_expiration: -5", USUAL_PROVIDERS, 0),
        ("existing_tokens_time_to_expiration: null", USUAL_PROVIDERS, 0),
    ],
)
def test_a_token_reset_says_for_whom_and_from_when_on(
    more: str, providers: tuple[str, ...], overlap: int
) -> None:
    work = read(RESET + more).work
    assert isinstance(work, TokenReset)
    assert (work.providers, work.overlap_seconds) == (providers, overlap)


def test_a_request_may_say_its_channel_and_why() -> None:
    request = read(BROKEN + "channel: tools\nreason: |\n  loses data,\n  now and then\n")
    assert (request.channel, request.reason) == ("tools", "loses data, now and then")


@pytest.mark.parametrize("value", ["null", "~", ""])
def test_what_is_null_is_not_said(value: str) -> None:
    assert read(f"{BROKEN}channel: {value}\nreason: {value}\n") == read(BROKEN)
    assert read(COPY.replace("main  #", f"{value}  #")) == read(COPY)


def test_json_says_the_same() -> None:
    document: dict[str, Any] = {
        "action": "add_feedstock_output",
        "feedstock_to_output_mapping": {
            "clang-compiler-activation-feedstock": ["clang_impl_osx-64", 1.10],
            "llvmdev": ["libllvm*"],
        },
    }
    text = json.dumps(document).replace("1.1]", "1.10]")
    assert read_request(text.encode(), "json", "request.json") == read(OUTPUTS)
    # and YAML is nearly all that JSON is
    assert read(text) == read(OUTPUTS)


@pytest.mark.parametrize("start", ["\ufeff", "# conda-forge\n", "---\n", "%YAML 1.1\n---\n"])
def test_what_may_stand_before_a_document_does(start: str) -> None:
    assert read(start + BROKEN) == read(BROKEN)
