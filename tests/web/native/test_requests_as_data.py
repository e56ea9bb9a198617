"""Requests as data over HTTP: the file of a maintainer is the body, and the answer tells what became of each entry."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from channeld.catalog import channels, feedstocks, outputs
from channeld.promotion.feedstocktokens import TokenRow
from channeld.promotion.requestdocument import SIZE_LIMIT
from tests.support.catalog import actor, dump
from tests.support.packages import build_conda
from tests.support.server import Answer, RunningServer, grant

REQUESTS = "/api/v1/requests"
A1, B1 = "noarch/alpha-1.0-0.conda", "noarch/beta-1.0-0.conda"
BROKEN = f"action: broken\npackages:\n- {A1}\n- {B1}\n"


@pytest.fixture(autouse=True)
async def filled(server: RunningServer) -> None:
    """A channel with two packages and the feedstock alpha."""
    server.channel()
    for name in ("alpha", "beta"):
        await server.upload(f"{name}-1.0-0.conda", build_conda(name))
    await server.database.write(lambda connection: feedstocks.register(connection, "chan", "alpha", actor()))


def state(server: RunningServer) -> list[Any]:
    """Return all that requests are about, and how often it was changed."""
    tables = dump(server.database)
    names = ("channels", "labels", "files", "file_labels", "feedstocks", "feedstock_tokens", "outputs")
    return [*(tables[name] for name in names), tables["output_globs"]]


async def post(
    server: RunningServer,
    text: str,
    query: str = "channel=chan",
    kind: str = "application/yaml",
    **options: Any,
) -> Answer:
    headers = {"Content-Type": kind, **options.pop("headers", {})}
    return await server.ask("POST", f"{REQUESTS}?{query}", data=text.encode(), headers=headers, **options)


async def test_a_file_is_applied_as_it_is(server: RunningServer) -> None:
    assert await server.shown() == ["alpha-1.0-0.conda", "beta-1.0-0.conda"]
    answer = await post(server, BROKEN, headers={"X-Reason": "from the header"})
    revision = (await server.ask("GET", "/api/v1/channels/chan")).json["revision"]
    assert (answer.status, answer.json) == (
        200,
        {
            "channel": "chan",
            "action": "broken",
            "outcome": "done",
            "entries": [
                {"key": "packages[0]", "subject": A1, "outcome": "done", "text": "", "rule": ""},
                {"key": "packages[1]", "subject": B1, "outcome": "done", "text": "", "rule": ""},
            ],
            "revision": revision,
            "tokens": [],
            "dry_run": False,
        },
    )
    assert (await server.shown(), await server.shown("broken")) == (
        [],
        ["alpha-1.0-0.conda", "beta-1.0-0.conda"],
    )
    entry = (await server.ask("GET", "/api/v1/audit?channel=chan&limit=1")).json["entries"][0]
    assert (entry["action"], entry["reason"]) == ("file.label", "from the header")
    again = (await post(server, BROKEN)).json
    assert (again["outcome"], again["revision"]) == ("unchanged", 0)


async def test_a_dry_run_says_the_same_and_does_nothing(server: RunningServer) -> None:
    await server.settled()
    text = BROKEN.replace("beta", "gamma")
    before = state(server)
    tried = await post(server, text, "channel=chan&dry_run=true")
    assert (tried.status, tried.json["outcome"], tried.json["dry_run"]) == (200, "refused", True)
    assert [entry["outcome"] for entry in tried.json["entries"]] == ["withheld", "refused"]
    refused = await post(server, text)
    assert refused.problem == (422, "request_refused")
    assert refused.json["data"]["entries"] == tried.json["entries"]
    assert refused.json["title"] == (
        "1 of 2 entries of the request broken are refused, and nothing of it was done. packages[1]: The channel "
        "'chan' has no file noarch/gamma-1.0-0.conda. Check the channel, the subdir and the file name."
    )
    assert state(server) == before


async def test_a_request_says_its_channel_and_reason_itself(server: RunningServer) -> None:
    answer = await post(
        server, f"{BROKEN}channel: chan\nreason: loses data\n", "", headers={"X-Reason": "no"}
    )
    assert answer.json["outcome"] == "done"
    entry = (await server.ask("GET", "/api/v1/audit?channel=chan&limit=1")).json["entries"][0]
    assert entry["reason"] == "loses data"


async def test_json_is_taken_as_well(server: RunningServer) -> None:
    text = json.dumps({"action": "broken", "packages": [A1]})
    assert (await post(server, text, kind="application/json")).json["outcome"] == "done"
    twice = '{"action": "broken", "action": "broken"}'
    assert (await post(server, twice, kind="application/json")).problem == (400, "request_malformed")


@pytest.mark.parametrize(
    ("text", "query", "problem"),
    [
        ("action: travis", "channel=chan", (400, "request_malformed")),
        ("", "channel=chan", (400, "request_malformed")),
        (BROKEN, "", (400, "request_without_channel")),
        (BROKEN, "channel=none", (404, "channel_missing")),
        (BROKEN, "chanel=chan", (400, "field_unknown")),
        (BROKEN, "channel=stage", (422, "request_about_staging")),
        ("#" * (SIZE_LIMIT + 1), "channel=chan", (413, "body_too_large")),
    ],
)
async def test_what_is_no_request_is_refused(
    server: RunningServer, text: str, query: str, problem: tuple[int, str]
) -> None:
    server.channel("stage", kind="staging")
    before = state(server)
    for dry_run in ("", "&dry_run=true"):
        assert (await post(server, text, f"{query}{dry_run}".strip("&"))).problem == problem
    assert state(server) == before


async def test_everything_that_is_wrong_is_told(server: RunningServer) -> None:
    refused = await post(server, "action: broken\npackages:\n- a\n- b\n")
    form = "is not of the form <subdir>/<file name>"
    assert refused.json["data"] == {
        "name": "The request",
        "problems": [
            {"key": "packages[0]", "text": f"'a' {form}", "line": 3},
            {"key": "packages[1]", "text": f"'b' {form}", "line": 4},
        ],
    }


async def test_whoever_may_do_none_of_it_learns_nothing(server: RunningServer) -> None:
    before = state(server)
    for rights, text in (
        (grant("read", "delete", "admin"), BROKEN),
        (grant("configure", "upload"), BROKEN),
        (grant("label", labels="main"), BROKEN),
        (grant("label", "upload"), "{action: archive, feedstocks: [alpha]}"),
        (grant("configure", channels="other"), "{action: token_reset, feedstocks: [alpha]}"),
    ):
        token = server.token(rights)
        for query in ("channel=chan", "channel=chan&dry_run=true"):
            assert (await post(server, text, query, token=token)).problem == (403, "not_allowed")
    assert (await post(server, BROKEN, token=None)).problem == (401, "token_required")
    assert state(server) == before


async def test_a_right_on_some_packages_reaches_only_these(server: RunningServer) -> None:
    token = server.token(grant("label", labels="broken", packages="alpha"))
    refused = await post(server, BROKEN, token=token)
    assert [(entry["outcome"], entry["rule"]) for entry in refused.json["data"]["entries"]] == [
        ("withheld", ""),
        ("refused", "not_allowed"),
    ]
    text = f"{{action: broken, packages: [{A1}]}}"
    assert (await post(server, text, token=token)).json["outcome"] == "done"


async def test_new_tokens_are_handed_out_once_and_told_to_nobody_else(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    text = "{action: token_reset, feedstocks: [alpha-feedstock], providers: [azure, gitlab]}"
    answer = await post(server, text)
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json["tokens"]
    assert [(each["feedstock"], each["provider"]) for each in made] == [
        ("alpha", "azure"),
        ("alpha", "gitlab"),
    ]
    texts = {each["token"] for each in made}
    assert {len(bytes.fromhex(each)) for each in texts} == {32}
    assert len(texts) == 2

    def kept(connection: Any) -> list[TokenRow]:
        found = feedstocks.get(connection, channels.get(connection, "chan"), "alpha")
        return [
            TokenRow(each.salt, each.digest, each.provider)
            for each in feedstocks.tokens_of(connection, found.id)
        ]

    rows = await server.read(kept)
    assert [row.is_of(each["token"]) for row, each in zip(rows, made, strict=True)] == [True, True]
    told = (
        repr(dump(server.database)) + caplog.text + (await server.ask("GET", "/api/v1/audit")).body.decode()
    )
    assert [each for each in texts if each in told] == []


async def test_files_are_copied_from_another_channel(server: RunningServer) -> None:
    server.channel("someone")
    data = build_conda("gamma")
    sha256 = (await server.upload("gamma-1.0-0.conda", data, "rc", channel="someone")).json["sha256"]
    package = f"{{package: someone/label/rc/noarch/gamma-1.0-0.conda, sha256: {sha256}}}"
    text = f"{{action: cfep3_copy, anaconda_org_packages: [{package}], to_anaconda_org_label: dev}}"
    tried = await post(server, text, "channel=chan&dry_run=true")
    assert tried.json["outcome"] == "would_be_done"
    token = server.token(grant("upload", channels="chan", labels="dev", packages="gamma"))
    assert (await post(server, text, token=token)).json["outcome"] == "done"
    assert await server.shown("dev") == ["gamma-1.0-0.conda"]
    assert (await server.ask("GET", "/chan/noarch/gamma-1.0-0.conda")).body == data


async def test_outputs_are_registered(server: RunningServer) -> None:
    text = "{action: add_feedstock_output, feedstock_to_output_mapping: {alpha: [alpha, 'libalpha*']}}"
    assert (await post(server, text)).json["outcome"] == "done"
    owners = await server.read(
        lambda connection: outputs.owners(connection, channels.get(connection, "chan").id, ["alpha"])
    )
    assert owners == {"alpha": ("alpha",)}
