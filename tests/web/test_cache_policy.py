"""How long answers may be kept."""

from __future__ import annotations

from dataclasses import fields

import pytest

from channeld.cachepolicy import IMMUTABLE, NO_STORE, CachePolicy, CacheTable
from channeld.settings.sections import Cache


def test_the_table_of_the_default_settings_is_the_default_table() -> None:
    assert CacheTable.of(Cache()) == CacheTable()


def test_the_default_table_says_what_the_edge_is_configured_for() -> None:
    table = CacheTable()

    assert {each.name: getattr(table, each.name).public for each in fields(table)} == {
        "documents": "public, max-age=60",
        "snapshots": "public, max-age=3600",
        "shards": "public, max-age=31536000, immutable",
        "artifacts": "public, max-age=31536000, immutable",
        "staged_artifacts": "public, max-age=60",
        "not_found": "public, max-age=10",
    }


def test_private_channels_have_the_same_ages_for_their_readers_only() -> None:
    assert IMMUTABLE.private == "private, max-age=31536000, immutable"
    assert CachePolicy(60).private == "private, max-age=60"


def test_the_settings_change_documents_and_404_and_nothing_else() -> None:
    table = CacheTable.of(Cache(mutable_max_age_seconds=300, not_found_max_age_seconds=0))

    assert table == CacheTable(
        documents=CachePolicy(300),
        staged_artifacts=CachePolicy(300),
        not_found=CachePolicy(0),
    )


@pytest.mark.parametrize("name", [each.name for each in fields(CacheTable)])
def test_every_policy_names_a_max_age_because_mamba_assumes_an_hour_without(name: str) -> None:
    policy = getattr(CacheTable(), name)

    assert "max-age=" in policy.public
    assert "max-age=" in policy.private


def test_errors_are_not_stored() -> None:
    assert NO_STORE == "no-store"
