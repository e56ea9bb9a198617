"""References from a channel to the one it builds upon, and the one it overrides (CEP 42)."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.relations import (
    NO_RELATIONS,
    BadRelation,
    ChannelRelations,
    ReferenceMalformed,
    RelationsAgree,
    RelationToItself,
    RelationUnknown,
)


@pytest.mark.parametrize(
    ("value", "channel"),
    [
        ({}, "main"),
        ({"base": "../conda-forge"}, "bioconda"),
        ({"overrides": "../.."}, "conda-forge/label/rc"),
        ({"base": "../conda-forge", "overrides": "../my-hotfixes"}, "mine"),
        ({"base": "../../other/chan_1.x"}, "mine"),
        ({"overrides": "../dev"}, "main/label/rc"),
    ],
)
def test_relations_between_different_channels_are_taken(value: dict[str, Any], channel: str) -> None:
    relations = ChannelRelations.parse(value, channel)
    assert relations.document() == value


def test_null_is_no_relation() -> None:
    assert ChannelRelations.parse({"base": None, "overrides": None}, "main") == NO_RELATIONS
    assert NO_RELATIONS.document() == {}


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "..",
        "../",
        "conda-forge",
        "/conda-forge",
        "./../x",
        "../x/",
        "..//x",
        ".././x",
        "../x?y",
        "../x#y",
        "../x y",
        "../%2e%2e/x",
        "../x\n",
        "../-x",
        "../" + "x" * 256,
        "https://conda.anaconda.org/conda-forge",
        "../https://example.org",
        7,
        ["../x"],
    ],
)
def test_what_is_no_path_to_a_neighbour_is_rejected(reference: object) -> None:
    with pytest.raises(ReferenceMalformed) as rejected:
        ChannelRelations.parse({"base": reference}, "main")
    assert rejected.value.kind == "base"


@pytest.mark.parametrize(
    ("reference", "channel"),
    [
        ("../main", "main"),
        ("../x/../main", "main"),
        ("../../label/rc", "main/label/rc"),
        ("../rc", "main/label/rc"),
    ],
)
def test_a_relation_to_the_channel_itself_is_rejected(reference: str, channel: str) -> None:
    with pytest.raises(RelationToItself) as rejected:
        ChannelRelations.parse({"overrides": reference}, channel)
    assert rejected.value.detail() == {"kind": "overrides", "reference": reference, "channel": channel}


def test_one_channel_cannot_be_both_base_and_overridden() -> None:
    with pytest.raises(RelationsAgree):
        ChannelRelations.parse({"base": "../x", "overrides": "../y/../x"}, "main")


def test_a_relation_that_is_none_is_rejected() -> None:
    with pytest.raises(RelationUnknown) as rejected:
        ChannelRelations.parse({"depends": "../x"}, "main")
    assert str(rejected.value) == (
        "There is no channel relation called 'depends'. A channel may have a 'base' and an 'overrides' (CEP 42)."
    )


@pytest.mark.parametrize(
    "rejection",
    [
        RelationUnknown("x"),
        ReferenceMalformed("base", "x"),
        RelationToItself("base", "../x", "x"),
        RelationsAgree("a", "b"),
    ],
)
def test_every_rejection_says_what_is_wrong_and_what_to_do(rejection: BadRelation) -> None:
    assert rejection.sentence().endswith(".")
    assert rejection.advice.endswith(".")
