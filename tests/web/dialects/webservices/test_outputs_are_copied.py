"""The cases of conda-forge-webservices' own tests: the status, the body and what is where afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog.audit import Actor
from channeld.promotion.globs import core_of
from tests.support.promotion import PRODUCTION, STAGING, Build
from tests.support.webservices import VALIDATE, Promoting, reason

ALPHA, BETA = Build("alpha"), Build("beta")
OTHER = Build("alpha", content="other")
STRANGER = Build("stranger")


def answered(
    body: dict[str, Any], *errors: str, valid: dict[str, bool], copied: dict[str, bool] | None = None
) -> None:
    """Compare an answer with all that these services put into it."""
    assert isinstance(body.pop("run_time"), float)
    assert body == {
        "feedstock_exists": True,
        "errors": list(errors),
        "valid": valid,
        "copied": valid if copied is None else copied,
        "provider": "github_actions",
    }


async def test_what_is_in_order_is_copied_and_seen_at_once(forge: Promoting) -> None:
    await forge.stage(ALPHA, BETA)
    answer = await forge.copy(ALPHA, BETA)

    assert answer.status == 200
    answered(answer.json, valid={ALPHA.key: True, BETA.key: True})
    assert await forge.seen(ALPHA) == {ALPHA.sha256}
    assert await forge.seen(BETA) == {BETA.sha256}
    assert await forge.dist(ALPHA, STAGING) is None
    assert (await forge.state(answer))["state"] == "done"


async def test_a_dist_that_is_in_production_counts_as_copied(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    assert (await forge.copy(ALPHA)).status == 200
    again = await forge.copy(ALPHA)
    assert again.status == 200
    answered(again.json, valid={ALPHA.key: True})


async def test_a_dist_in_production_with_other_bytes_does_not(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    await forge.copy(ALPHA)
    await forge.stage(OTHER)
    answer = await forge.copy(OTHER)

    assert answer.status == 400
    message = (
        f"output {ALPHA.key} exists on conda-forge with different content (sha256 {ALPHA.sha256} there, "
        f"sha256 {OTHER.sha256} on cf-staging)"
    )
    answered(answer.json, message, valid={ALPHA.key: False})
    assert await forge.seen(ALPHA) == {ALPHA.sha256}
    assert await forge.dist(OTHER, STAGING) == OTHER.sha256


async def test_a_wrong_checksum(forge: Promoting) -> None:
    await forge.stage(ALPHA, BETA)
    answer = await forge.copy(outputs={ALPHA.key: BETA.sha256, BETA.key: BETA.sha256})

    assert answer.status == 400
    answered(answer.json, reason(ALPHA), valid={ALPHA.key: False, BETA.key: True})
    assert await forge.seen(ALPHA) == {None}
    assert await forge.seen(BETA) == {BETA.sha256}
    assert await forge.dist(ALPHA, STAGING) == ALPHA.sha256
    assert (await forge.state(answer))["state"] == "partly"


async def test_a_wrong_label(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    for label in ("rc", "Main", "", "main/x", "../main", "broken"):
        answer = await forge.copy(ALPHA, channel=label)
        assert answer.status == 400, label
    assert await forge.seen(ALPHA) == {None}
    assert await forge.dist(ALPHA, STAGING) == ALPHA.sha256


async def test_one_label_too_many(forge: Promoting) -> None:
    path = f"/api/v1/channels/{STAGING}/files/{ALPHA.filename}?label=main&label=rc"
    await forge.server.ask("PUT", path, data=ALPHA.data)
    answer = await forge.copy(ALPHA)
    assert answer.status == 400
    answered(answer.json, reason(ALPHA), valid={ALPHA.key: False})


async def test_the_label_is_kept(forge: Promoting) -> None:
    await forge.stage(ALPHA, label="alpha_rc")
    assert (await forge.copy(ALPHA, channel="alpha_rc")).status == 200
    assert await forge.server.shown("alpha_rc", channel=PRODUCTION) == [ALPHA.filename]
    assert await forge.server.shown("main", channel=PRODUCTION) == []


async def test_an_output_that_is_not_allowed(forge: Promoting) -> None:
    forge.register("stranger", "stranger")
    await forge.stage(ALPHA, STRANGER)
    answer = await forge.copy(ALPHA, STRANGER)

    assert answer.status == 400
    message = f"output {STRANGER.key} not allowed for conda-forge/alpha-feedstock"
    answered(answer.json, message, valid={ALPHA.key: True, STRANGER.key: False})
    assert await forge.seen(STRANGER) == {None}
    assert await forge.dist(STRANGER, STAGING) == STRANGER.sha256


async def test_a_new_output_is_not_registered_by_itself(forge: Promoting) -> None:
    await forge.stage(STRANGER)
    answer = await forge.copy(STRANGER)
    answered(
        answer.json,
        f"output {STRANGER.key} not allowed for conda-forge/alpha-feedstock",
        valid={STRANGER.key: False},
    )


async def test_a_new_output_that_a_glob_matches_is(forge: Promoting) -> None:
    actor = Actor("test", "local", 0)

    def add_glob(connection: Any) -> None:
        channel = channels.lock(connection, [PRODUCTION])[PRODUCTION]
        feedstock = feedstocks.get(connection, channel, "alpha")
        keyed = outputs.KeyedGlob("stran*", core_of("stran*"))
        outputs.add_globs(connection, channel, {feedstock: [keyed]}, actor)

    forge.server.database.write_now(add_glob)
    await forge.stage(STRANGER)
    assert (await forge.copy(STRANGER)).status == 200
    owned = forge.server.database.read_now(
        lambda c: outputs.owners(c, channels.get(c, PRODUCTION).id, ["stranger"])
    )
    assert owned == {"stranger": ("alpha",)}


async def test_the_hash_type_is_md5_unless_it_is_said_otherwise(
    forge: Promoting, caplog: pytest.LogCaptureFixture
) -> None:
    await forge.stage(ALPHA)
    answer = await forge.copy(outputs={ALPHA.key: ALPHA.md5}, hash_type=...)
    assert answer.status == 200
    assert "by md5" in caplog.text
    assert await forge.seen(ALPHA) == {ALPHA.sha256}


async def test_two_candidates_with_the_md5_are_none(forge: Promoting) -> None:
    """Nobody can tell which is meant. Such bytes are hard to come by, so the catalog is told that it has them."""
    await forge.stage(ALPHA, OTHER)
    forge.server.database.write_now(
        lambda c: c.execute(sa.text("UPDATE artifacts SET md5 = :md5"), {"md5": ALPHA.md5})
    )
    answer = await forge.copy(outputs={ALPHA.key: ALPHA.md5}, hash_type="md5")
    message = f"output {ALPHA.key} has several candidates with this md5 on cf-staging; send its sha256"
    answered(answer.json, message, valid={ALPHA.key: False})
    assert await forge.seen(ALPHA) == {None}


async def test_a_channel_may_refuse_md5(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    changes = {"copies_by_md5": "refuse"}
    await forge.server.ask("PATCH", f"/api/v1/channels/{PRODUCTION}", changes)
    answer = await forge.copy(outputs={ALPHA.key: ALPHA.md5}, hash_type=...)
    assert (answer.status, answer.json) == (
        400,
        {"message": "Bad Request", "errors": ["hash type md5 is not taken here; send sha256"]},
    )


MISSING: list[tuple[dict[str, Any], list[str]]] = [
    ({"outputs": None}, ["no outputs data sent for copy"]),
    ({"outputs": ...}, ["no outputs data sent for copy"]),
    ({"channel": None}, ["no label sent for copy"]),
    ({"channel": ...}, ["no label sent for copy"]),
    ({"hash_type": "sha1"}, ["invalid hash type"]),
    ({"hash_type": None}, ["invalid hash type"]),
    (
        {"feedstock": "nobody-feedstock"},
        ["feedstock nobody-feedstock does not exist", "invalid feedstock token"],
    ),
    ({"feedstock": ...}, ["feedstock -feedstock does not exist", "invalid feedstock token"]),
]


async def test_missing_keys_and_unknown_feedstocks(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    for changes, errors in MISSING:
        answer = await forge.copy(ALPHA, **changes)
        assert (answer.status, answer.json) == (400, {"message": "Bad Request", "errors": errors})
    assert await forge.seen(ALPHA) == {None}


async def test_a_missing_or_wrong_token(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    for headers in (
        {},
        {"FEEDSTOCK_TOKEN": ""},
        {"FEEDSTOCK_TOKEN": "0" * 64},
        {"Authorization": f"token {forge.token}"},
    ):
        answer = await forge.post(forge.body(ALPHA), headers=headers)
        expected = {"message": "Bad Request", "errors": ["invalid feedstock token"]}
        assert (answer.status, answer.json) == (400, expected)
    assert await forge.seen(ALPHA) == {None}
    assert await forge.dist(ALPHA, STAGING) == ALPHA.sha256


async def test_the_token_comes_in_one_of_three_fields(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    for headers in (
        {"FEEDSTOCK_TOKEN": forge.token},
        {"Feedstock-Token": forge.token},
        {"Authorization": f"Bearer {forge.token}"},
    ):
        assert (await forge.post(forge.body(ALPHA), headers=headers)).status == 200


async def test_the_token_of_another_feedstock(forge: Promoting) -> None:
    forge.register("beta", "beta")
    await forge.stage(BETA)
    answer = await forge.copy(BETA, feedstock="beta-feedstock")
    assert (answer.status, answer.json["errors"]) == (400, ["invalid feedstock token"])


async def test_an_archived_feedstock(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    forge.server.database.write_now(
        lambda c: feedstocks.archive(c, PRODUCTION, "alpha", Actor("test", "local", 0))
    )
    answer = await forge.copy(ALPHA)
    expected = {"message": "Bad Request", "errors": ["feedstock alpha-feedstock is archived"]}
    assert (answer.status, answer.json) == (400, expected)


async def test_a_name_that_is_not_well_formed(forge: Promoting) -> None:
    """conda-forge's answer to a key without a slash is 500."""
    await forge.stage(BETA)
    for key in ("alpha-1.0-0.conda", "noarch/alpha.conda", "noarch/alpha-1.0-0.zip"):
        answer = await forge.copy(outputs={key: ALPHA.sha256, BETA.key: BETA.sha256})
        assert answer.status == 400
        message = (
            f"output '{key}' is not correctly formatted (it must be the fully "
            "qualified name w/ extension, `noarch/blah-fa31b0-2020.04.13.15.54.07-py_0.conda`)"
        )
        answered(answer.json, message, valid={key: False, BETA.key: True})


async def test_what_is_too_long_for_any_name_is_not_kept(forge: Promoting) -> None:
    answer = await forge.copy(outputs={"noarch/" + "x" * 100_000: "0" * 64})
    assert (answer.status, "Location" in answer.headers, len(answer.body) < 1000) == (400, False, True)

    answer = await forge.copy(outputs={ALPHA.key: "0" * 100_000})
    assert (answer.status, answer.json["errors"]) == (400, [reason(ALPHA)])
    assert (await forge.state(answer))["outputs"][0]["sha256"] == ""


async def test_no_outputs_at_all_are_copied_with_success(forge: Promoting) -> None:
    answer = await forge.copy()
    assert answer.status == 200
    answered(answer.json, valid={})


async def test_damaged_bytes_are_not_copied(forge: Promoting) -> None:
    await forge.stage(ALPHA, BETA)
    path = forge.server.services.instance.blobs.path(ALPHA.sha256)
    path.write_bytes(path.read_bytes() + b"more")
    answer = await forge.copy(ALPHA, BETA)
    assert answer.status == 400
    assert answer.json["copied"] == {ALPHA.key: False, BETA.key: True}
    assert answer.json["errors"][0].startswith(f"output {ALPHA.key} has changed in the store (sha256 ")
    assert await forge.seen(ALPHA) == {None}


async def test_validation_says_the_same_and_copies_nothing(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    for outputs_, status in (({ALPHA.key: ALPHA.sha256}, 200), ({ALPHA.key: BETA.sha256}, 400)):
        answer = await forge.post(forge.body(outputs=outputs_), VALIDATE)
        assert answer.status == status
        assert "Location" not in answer.headers
        errors = [] if status == 200 else [reason(ALPHA)]
        answered(answer.json, *errors, valid={ALPHA.key: status == 200}, copied={ALPHA.key: False})
    assert await forge.seen(ALPHA) == {None}
    assert await forge.dist(ALPHA, STAGING) == ALPHA.sha256


async def test_whoever_need_not_wait_looks_it_up(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    headers = {"FEEDSTOCK_TOKEN": forge.token, "Prefer": "respond-async"}
    answer = await forge.post(forge.body(ALPHA), headers=headers)

    assert (answer.status, answer.json["state"]) == (202, "pinned")
    for _ in range(200):
        copy = await forge.state(answer)
        if copy["state"] not in ("pinned", "checked"):
            break
        await asyncio.sleep(0.02)
    assert copy["state"] == "done"
    assert await forge.dist(ALPHA) == ALPHA.sha256


async def test_a_request_that_is_sent_again_by_its_key_finds_the_first_ones_copy(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    headers = {"FEEDSTOCK_TOKEN": forge.token, "Idempotency-Key": "build 17"}
    answers = [await forge.post(forge.body(ALPHA), headers=headers) for _ in range(2)]
    other = await forge.post(forge.body(BETA), headers=headers)

    assert [answer.status for answer in (*answers, other)] == [200, 200, 422]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert "belongs to another request" in other.json["errors"][0]


async def test_of_several_channels_one_has_to_be_named(forge: Promoting) -> None:
    forge.server.channel("elsewhere")
    forge.server.channel("elsewhere-staging", kind="staging", promotes_to="elsewhere")
    await forge.stage(ALPHA)

    refused = await forge.copy(ALPHA)
    assert (refused.status, refused.json["message"]) == (400, "Bad Request")
    assert "/<channel>/feedstock-outputs/copy" in refused.json["errors"][0]
    path = f"/{PRODUCTION}/feedstock-outputs/copy"
    assert (await forge.post(forge.body(ALPHA), path)).status == 200


async def test_private_channels_are_not_named_to_strangers(forge: Promoting) -> None:
    forge.server.channel("hidden", private=True)
    forge.server.channel("hidden-staging", kind="staging", private=True, promotes_to="hidden")

    refused = await forge.post({}, headers={})
    assert refused.status == 400
    assert PRODUCTION in refused.json["errors"][0]
    assert b"hidden" not in refused.body


async def test_a_channel_that_nothing_promotes_to(forge: Promoting) -> None:
    for name, status in ((STAGING, 422), ("nowhere", 404)):
        answer = await forge.post(forge.body(ALPHA), f"/{name}/feedstock-outputs/copy")
        assert (answer.status, set(answer.json)) == (status, {"message", "errors"})


async def test_it_is_alive(forge: Promoting) -> None:
    answer = await forge.server.ask("GET", "/alive", token=None)
    assert (answer.status, answer.json) == (200, {"status": "operational"})
