"""What an artifact may not say of itself, and what nobody needs, is not in the record."""

from __future__ import annotations

import pytest

from channeld.formats.names import Naming
from tests.support.record_making import MD5, SHA256, fields_with

PLAIN = fields_with()


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("value", ["x", 1, -1, 1.5, ["x"], {"weak": "x"}, True, 2])
@pytest.mark.parametrize(
    "field",
    [
        *(
            "indexed_timestamp",
            "md5",
            "sha256",
            "size",
            "url",
            "fn",
            "attestations_sha256",
            "signatures",
            "sig",
        ),
        *("channel", "schannel", "record_version", "run_exports"),
    ],
)
def test_what_only_the_server_knows_is_not_taken_from_the_artifact(
    field: str, value: object, policy: Naming
) -> None:
    assert fields_with(policy, **{field: value}) == PLAIN
    assert (PLAIN["md5"], PLAIN["sha256"], PLAIN["size"]) == (MD5, SHA256, 1234)


@pytest.mark.parametrize(
    "field",
    [
        "arch",
        "platform",
        "has_prefix",
        "mtime",
        "ucs",
        "requires_features",
        "binstar",
        "target-triplet",
        "machine",
        "operatingsystem",
    ],
)
def test_what_conda_index_drops_is_dropped(field: str) -> None:
    assert fields_with(**{field: "x"}) == PLAIN


@pytest.mark.parametrize(
    "field", ["license", "noarch", "timestamp", "constrains", "track_features", "features", "anything"]
)
def test_nulls_are_dropped(field: str) -> None:
    assert fields_with(**{field: None}) == {key: value for key, value in PLAIN.items() if key != field}


def test_other_fields_pass_as_they_are() -> None:
    extra = {
        "preferred_env": "x",
        "app": {"entry": [1, None, {"a": 1.5}]},
        "requires": [],
        "legacy_bz2_size": 5,
    }
    assert fields_with(**extra) == {**PLAIN, **extra}
