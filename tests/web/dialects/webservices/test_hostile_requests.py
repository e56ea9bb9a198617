"""Whatever is sent, the answer is JSON and a 4xx, nothing is copied, and what strangers send is not kept."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from channeld.web.native.wiring import BODY_LIMIT
from tests.support.promotion import PRODUCTION, STAGING, Build
from tests.support.server import Answer
from tests.support.webservices import COPY, VALIDATE, Promoting

ALPHA, BETA = Build("alpha"), Build("beta")
COPIES = f"/api/v1/channels/{PRODUCTION}/copies"

#: Bodies that say nothing that can be done.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"feedstock=alpha",
    "a list": b"[]",
    "a text": b'"x"',
    "half an object": b'{"feedstock": "alpha-feedstock"',
    "half a surrogate pair": b'{"feedstock": "\\ud800-feedstock", "outputs": {}, "channel": "main"}',
    "no UTF-8": b'{"feedstock": "\xff"}',
    "NaN": b'{"feedstock": NaN}',
    "too deep": b"[" * 100_000,
    "too large": b'{"x": "' + b"x" * BODY_LIMIT + b'"}',
}

#: What stands in the place of a good value.
CHANGES: dict[str, dict[str, Any]] = {
    "outputs that are a list": {"outputs": ["noarch/alpha-1.0-0.conda"]},
    "outputs that are a text": {"outputs": "noarch/alpha-1.0-0.conda"},
    "too many outputs": {"outputs": {f"noarch/alpha-{number}-0.conda": "0" * 64 for number in range(501)}},
    "a hash that is a number": {"outputs": {ALPHA.key: 17}},
    "a hash that is null": {"outputs": {ALPHA.key: None}},
    "a hash that is an object": {"outputs": {ALPHA.key: {"sha256": ALPHA.sha256}}},
    "a hash of another alphabet": {"outputs": {ALPHA.key: "\N{ARABIC-INDIC DIGIT ONE}" * 64}},
    "a hash in capitals": {"outputs": {ALPHA.key: ALPHA.sha256.upper()}},
    "a hash and more": {"outputs": {ALPHA.key: ALPHA.sha256 + "00"}},
    "half a hash": {"outputs": {ALPHA.key: ALPHA.sha256[:32]}},
    "no slash": {"outputs": {ALPHA.filename: ALPHA.sha256}},
    "two slashes": {"outputs": {f"x/{ALPHA.key}": ALPHA.sha256}},
    "a way up": {"outputs": {f"../{ALPHA.filename}": ALPHA.sha256}},
    "a way up behind a subdir": {"outputs": {f"noarch/../{ALPHA.key}": ALPHA.sha256}},
    "a root": {"outputs": {f"/{ALPHA.filename}": ALPHA.sha256}},
    "a backslash": {"outputs": {f"noarch\\{ALPHA.filename}": ALPHA.sha256}},
    "NUL in a name": {"outputs": {f"{ALPHA.key}\0": ALPHA.sha256}},
    "NUL in a label": {"channel": "main\0"},
    "a label that is a list": {"channel": ["main"]},
    "a label without end": {"channel": "x" * 100_000},
    "a feedstock that is a number": {"feedstock": 17},
    "a feedstock with NUL": {"feedstock": "alpha\0-feedstock"},
    "a feedstock without end": {"feedstock": "a" * 100_000},
    "a feedstock that is a path": {"feedstock": "../alpha-feedstock"},
    "a feedstock in capitals": {"feedstock": "Alpha-feedstock"},
    "a provider that is an object": {"provider": {"name": "azure"}},
    "a hash type that is a list": {"hash_type": ["sha256"]},
}


async def nothing_happened(forge: Promoting) -> None:
    assert await forge.seen(ALPHA) == {None}
    assert await forge.dist(ALPHA, STAGING) == ALPHA.sha256


def refused(answer: Answer, name: str) -> None:
    assert 400 <= answer.status < 500, (name, answer.status, answer.body)
    assert answer.headers["Content-Type"].startswith("application/json"), name
    assert "message" in answer.json or not any(answer.json["copied"].values()), name


async def test_bodies_that_say_nothing(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    headers = {"FEEDSTOCK_TOKEN": forge.token, "Content-Type": "application/json"}
    for name, data in BODIES.items():
        for path in (COPY, VALIDATE):
            refused(await forge.post(None, path, headers, data), name)
    good = json.dumps(forge.body(ALPHA)).encode()
    coded = {**headers, "Content-Encoding": "gzip"}
    answer = await forge.post(None, COPY, coded, gzip.compress(good))
    assert (answer.status, set(answer.json)) == (415, {"message", "errors"})
    await nothing_happened(forge)
    assert (await forge.server.ask("GET", COPIES)).json["copies"] == []


async def test_values_that_are_none(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    for name, changes in CHANGES.items():
        refused(await forge.copy(ALPHA, **changes), name)
    await nothing_happened(forge)


async def test_a_defect_is_told_as_json(forge: Promoting, monkeypatch: pytest.MonkeyPatch) -> None:
    def defective(*_arguments: object) -> None:
        raise ZeroDivisionError("a secret")

    await forge.stage(ALPHA)
    monkeypatch.setattr(forge.server.services.instance.copies, "begin", defective)
    answer = await forge.copy(ALPHA)
    assert answer.status == 500
    assert answer.json == {"message": "Unhandled error", "reason": None, "traceback": "", "errors": []}


async def test_header_fields_without_end(forge: Promoting) -> None:
    await forge.stage(ALPHA)
    long = {"FEEDSTOCK_TOKEN": "0" * 7000}
    refused(await forge.post(forge.body(ALPHA), headers=long), "a long token")
    answer = await forge.post(forge.body(ALPHA), headers={"FEEDSTOCK_TOKEN": "0" * 100_000})
    assert answer.status == 400
    odd = {"FEEDSTOCK_TOKEN": "\xff\xfe", "Idempotency-Key": "\xff", "X-Reason": "\xff", "Prefer": "\xff"}
    refused(await forge.post(forge.body(ALPHA), headers=odd), "bytes that are no text")
    odd["FEEDSTOCK_TOKEN"] = forge.token
    assert (await forge.post(forge.body(ALPHA), headers=odd)).status == 200


async def test_a_request_that_is_replayed_changes_nothing(forge: Promoting) -> None:
    """Not while the file is there, and not after it was deleted: it is not brought back."""
    await forge.stage(ALPHA)
    assert (await forge.copy(ALPHA)).status == 200
    channel = f"/api/v1/channels/{PRODUCTION}"
    revision = (await forge.server.ask("GET", channel)).json["revision"]
    assert (await forge.copy(ALPHA)).status == 200
    assert (await forge.server.ask("GET", channel)).json["revision"] == revision

    await forge.server.ask("DELETE", f"{channel}/files/{ALPHA.key}")
    await forge.stage(ALPHA)
    answer = await forge.copy(ALPHA)
    assert answer.json["errors"] == [f"output {ALPHA.key} was deleted from conda-forge"]
    assert await forge.dist(ALPHA) is None


async def test_what_strangers_send_is_not_kept(forge: Promoting) -> None:
    headers = {"FEEDSTOCK_TOKEN": "0" * 64}
    outputs = {f"noarch/alpha-{number}-0.conda": "0" * 64 for number in range(400)}
    body = forge.body(outputs=outputs, git_sha="x" * 100, comment_on_error=True)
    assert (await forge.post(body, headers=headers)).status == 400
    (copy,) = (await forge.server.ask("GET", COPIES)).json["copies"]
    assert (copy["outputs"], copy["errors"]) == ([], ["invalid feedstock token"])
    assert len(json.dumps(copy)) < 2000


async def test_names_are_nobodys_and_outputs_are(forge: Promoting) -> None:
    """A feedstock cannot publish another's output by uploading it itself, whatever bytes it has."""
    forge.register("beta", "beta")
    await forge.stage(BETA, Build("beta", content="evil"))
    forge.server.database.write_now(
        lambda c: c.exec_driver_sql(
            "DELETE FROM outputs WHERE name = 'beta' AND feedstock_id IN "
            "(SELECT id FROM feedstocks WHERE name = 'alpha')"
        )
    )
    for build in (BETA, Build("beta", content="evil")):
        answer = await forge.copy(build)
        assert answer.json["errors"] == [f"output {BETA.key} not allowed for conda-forge/alpha-feedstock"]
    assert await forge.seen(BETA) == {None}
