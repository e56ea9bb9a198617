"""Rule: what is in order comes into production with its label, and leaves staging; what is there is no error."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from channeld.catalog import audit, channels, feedstocks, labels, outputs
from channeld.promotion.accepting import RequestKeyReused
from channeld.promotion.asking import Asked, Asker, Extent
from channeld.promotion.globs import core_of
from channeld.promotion.outcomes import Outcome
from tests.support.catalog import dump
from tests.support.promotion import (
    PRODUCTION,
    STAGING,
    Bench,
    Build,
    errors,
    fates,
    production_of,
)
from tests.support.server import make_channel

ALPHA, BETA, GAMMA = Build("alpha"), Build("beta"), Build("gamma")
OTHER = Build("alpha", content="other")


def actions(stage: Bench, count: int) -> list[tuple[str, str]]:
    """Return the last lines of the audit, oldest first."""
    rows = stage.instance.database.read_now(lambda connection: audit.newest(connection, limit=count))
    return [(row.action, row.channel) for row in reversed(rows)]


def test_a_set_is_copied_in_one_go(stage: Bench) -> None:
    for build in (ALPHA, BETA):
        stage.upload(build)

    done = stage.copy(stage.asked(ALPHA, BETA))

    assert (done.state, fates(done), errors(done)) == (
        "done",
        {ALPHA.key: "copied", BETA.key: "copied"},
        (),
    )
    assert stage.holds(PRODUCTION) == production_of(ALPHA, BETA)
    assert (stage.staged(), stage.pins()) == (set(), 0)
    assert list(Outcome.read(done.outcome).times) == ["pinned", "checked", "done"]
    assert actions(stage, 5) == [
        ("file.add", PRODUCTION),
        ("file.add", PRODUCTION),
        ("file.promote", STAGING),
        ("file.promote", STAGING),
        ("copy.done", PRODUCTION),
    ]


def test_the_label_is_kept(stage: Bench) -> None:
    stage.upload(ALPHA, "alpha_rc")
    assert stage.copy(stage.asked(ALPHA)).state == "refused"
    assert stage.copy(stage.asked(ALPHA, label="alpha_rc")).state == "done"
    assert stage.holds(PRODUCTION) == production_of(ALPHA, label="alpha_rc")


def test_the_same_request_again_changes_nothing(stage: Bench) -> None:
    stage.upload(ALPHA)
    first = stage.copy(stage.asked(ALPHA))
    again = stage.copy(stage.asked(ALPHA))

    assert (again.state, fates(again)) == ("done", {ALPHA.key: "there"})
    assert again.revision == first.revision
    assert actions(stage, 1) == [("copy.done", PRODUCTION)]


def test_what_is_there_with_the_same_bytes_leaves_staging_too(stage: Bench) -> None:
    stage.upload(ALPHA)
    stage.copy(stage.asked(ALPHA))
    stage.upload(ALPHA)
    assert stage.staged() == {ALPHA.sha256}

    assert stage.copy(stage.asked(ALPHA)).state == "done"
    assert stage.staged() == set()


def test_the_same_bytes_under_another_label_get_one_label_more(stage: Bench) -> None:
    stage.upload(ALPHA)
    stage.copy(stage.asked(ALPHA))
    stage.upload(ALPHA, "alpha_rc")

    assert fates(stage.copy(stage.asked(ALPHA, label="alpha_rc"))) == {ALPHA.key: "copied"}
    assert stage.holds(PRODUCTION) == {ALPHA.key: (ALPHA.sha256, ("alpha_rc", "main"))}


def test_other_bytes_under_the_name_are_refused_with_both_hashes(stage: Bench) -> None:
    stage.upload(ALPHA)
    stage.copy(stage.asked(ALPHA))
    stage.upload(OTHER)

    refused = stage.copy(stage.asked(OTHER))

    assert refused.state == "refused"
    (reason,) = errors(refused)
    assert reason == (
        f"output {ALPHA.key} exists on conda-forge with different content (sha256 {ALPHA.sha256} there, "
        f"sha256 {OTHER.sha256} on cf-staging)"
    )
    assert stage.holds(PRODUCTION) == production_of(ALPHA)
    assert stage.staged() == {OTHER.sha256}


def test_of_several_candidates_the_one_with_the_hash_is_copied(stage: Bench) -> None:
    for build in (ALPHA, OTHER):
        stage.upload(build)
    assert stage.copy(stage.asked(ALPHA)).state == "done"
    assert stage.holds(PRODUCTION) == production_of(ALPHA)
    assert stage.staged() == {OTHER.sha256}


def test_an_md5_stands_for_the_bytes_that_had_it_when_it_was_asked(
    stage: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    stage.upload(ALPHA)
    by_md5 = stage.asked(outputs={ALPHA.key: ALPHA.md5}, hash_type="md5")

    begun = stage.begin(by_md5)

    assert [output.sha256 for output in Outcome.read(begun.outcome).outputs] == [ALPHA.sha256]
    assert "by md5" in caplog.text
    stage.upload(OTHER)
    done = stage.instance.copies.carry_out(begun.id)
    assert done is not None
    assert done.state == "done"
    assert stage.holds(PRODUCTION) == production_of(ALPHA)


def test_a_channel_may_refuse_md5(stage: Bench) -> None:
    stage.upload(ALPHA)
    changes = {"copies_by_md5": "refuse"}
    stage.instance.database.write_now(lambda c: channels.configure(c, PRODUCTION, changes, stage.actor()))

    refused = stage.copy(stage.asked(outputs={ALPHA.key: ALPHA.md5}, hash_type="md5"))

    assert (refused.state, errors(refused)) == ("refused", ("hash type md5 is not taken here; send sha256",))
    assert stage.holds(PRODUCTION) == {}
    assert stage.copy(stage.asked(ALPHA)).state == "done"


def test_all_of_a_set_or_nothing(stage: Bench) -> None:
    stage.upload(ALPHA)

    refused = stage.copy(stage.asked(ALPHA, BETA))

    assert (refused.state, fates(refused)) == ("refused", {ALPHA.key: "withheld", BETA.key: "refused"})
    assert errors(refused) == (
        f"output {BETA.key} does not have a valid checksum or correct label on cf-staging",
    )
    assert (stage.holds(PRODUCTION), stage.staged(), stage.pins()) == ({}, {ALPHA.sha256}, 0)


def test_the_survivors_of_a_set(stage: Bench) -> None:
    for build in (ALPHA, GAMMA):
        stage.upload(build)
    stage.damage(GAMMA)

    partly = stage.copy(stage.asked(ALPHA, BETA, GAMMA, extent=Extent.SURVIVORS))

    assert (partly.state, fates(partly)) == (
        "partly",
        {ALPHA.key: "copied", BETA.key: "refused", GAMMA.key: "refused"},
    )
    assert stage.holds(PRODUCTION) == production_of(ALPHA)
    assert (stage.staged(), stage.pins()) == ({GAMMA.sha256}, 0)
    assert actions(stage, 4) == [
        ("file.add", PRODUCTION),
        ("file.promote", STAGING),
        ("copy.done", PRODUCTION),
        ("copy.refuse", PRODUCTION),
    ]


def test_a_new_output_is_registered_with_its_first_copy(stage: Bench) -> None:
    libalpha = Build("libalpha12")
    stage.upload(libalpha)
    assert errors(stage.copy(stage.asked(libalpha))) == (
        f"output {libalpha.key} not allowed for conda-forge/alpha-feedstock",
    )

    def add_glob(connection: Connection) -> None:
        channel = channels.lock(connection, [PRODUCTION])[PRODUCTION]
        alpha = feedstocks.get(connection, channel, "alpha")
        keyed = outputs.KeyedGlob("libalpha*", core_of("libalpha*"))
        outputs.add_globs(connection, channel, {alpha: [keyed]}, stage.actor())

    stage.instance.database.write_now(add_glob)
    assert stage.copy(stage.asked(libalpha)).state == "done"
    owned = stage.instance.database.read_now(
        lambda c: outputs.owners(c, channels.get(c, PRODUCTION).id, ["libalpha12"])
    )
    assert owned == {"libalpha12": ("alpha",)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": None}, "no label sent for copy"),
        ({"outputs": None}, "no outputs data sent for copy"),
        ({"repository": "nobody-feedstock"}, "feedstock nobody-feedstock does not exist"),
        ({"asker": Asker("unknown", "")}, "invalid feedstock token"),
        ({"asker": Asker("unknown", "", feedstock_token=17)}, "invalid feedstock token"),
        ({"hash_type": "sha1"}, "invalid hash type"),
        ({"label": "broken"}, "the label broken is not copied: it would hide what has the name already"),
        ({"channel": "elsewhere"}, "cf-staging does not promote to elsewhere"),
    ],
)
def test_a_request_that_is_not_in_order_copies_nothing(
    stage: Bench, changes: dict[str, object], reason: str
) -> None:
    make_channel(stage.instance.database, "elsewhere")
    stage.upload(ALPHA)
    stage.upload(ALPHA, "broken")
    asked: Asked = stage.asked(ALPHA, **changes)

    refused = stage.copy(asked)

    assert refused.state == "refused"
    assert reason in errors(refused)
    assert set(fates(refused).values()) <= {"refused"}
    assert (stage.holds(PRODUCTION), stage.pins()) == ({}, 0)
    assert actions(stage, 1) == [("copy.refuse", asked.channel)]


def test_a_copy_by_hand_asks_no_registry(stage: Bench) -> None:
    stranger = Build("stranger")
    stage.upload(stranger)
    by_hand = stage.asked(stranger, repository="", asker=Asker("local", "local"))

    assert stage.copy(by_hand).state == "done"
    assert stage.holds(PRODUCTION) == production_of(stranger)


def test_a_copy_by_hand_from_a_standard_channel_leaves_that_as_it_is(stage: Bench) -> None:
    make_channel(stage.instance.database, "elsewhere")
    stage.upload(ALPHA, channel="elsewhere")
    by_hand = stage.asked(ALPHA, repository="", staging="elsewhere", asker=Asker("local", "local"))

    assert stage.copy(by_hand).state == "done"
    assert stage.holds(PRODUCTION) == stage.holds("elsewhere") == production_of(ALPHA)


def test_a_feedstock_copies_only_from_the_channel_that_promotes(stage: Bench) -> None:
    make_channel(stage.instance.database, "elsewhere", kind="staging")
    stage.upload(ALPHA, channel="elsewhere")
    refused = stage.copy(stage.asked(ALPHA, staging="elsewhere"))
    assert errors(refused) == ("elsewhere does not promote to conda-forge",)
    assert stage.holds(PRODUCTION) == {}


def test_a_locked_label_takes_no_file(stage: Bench) -> None:
    stage.upload(ALPHA)
    stage.instance.database.write_now(
        lambda c: labels.configure(c, PRODUCTION, "main", stage.actor(), locked=True)
    )
    refused = stage.copy(stage.asked(ALPHA))
    assert errors(refused) == (
        f"output {ALPHA.key} was not copied: the label 'main' of the channel 'conda-forge' is locked",
    )
    assert stage.staged() == {ALPHA.sha256}


def test_the_same_key_finds_the_same_copy(stage: Bench) -> None:
    stage.upload(ALPHA)
    asked = stage.asked(ALPHA)
    first = stage.begin(asked, "key")
    again = stage.begin(replace(asked, asker=replace(asked.asker, origin="10.0.0.2")), "key")

    assert again == first
    assert stage.begin(asked, "another key").id != first.id
    with pytest.raises(RequestKeyReused):
        stage.begin(stage.asked(ALPHA, BETA), "key")


def test_a_rehearsal_says_the_same_and_changes_nothing(stage: Bench) -> None:
    for build in (ALPHA, GAMMA):
        stage.upload(build)
    stage.damage(GAMMA)
    for extent in Extent:
        asked = stage.asked(ALPHA, BETA, GAMMA, extent=extent)
        before = dump(stage.instance.database)

        rehearsal = stage.instance.copies.rehearse(asked)

        assert dump(stage.instance.database) == before
        done = stage.copy(asked)
        assert (rehearsal.state, rehearsal.outcome.outputs) == (
            done.state,
            Outcome.read(done.outcome).outputs,
        )
