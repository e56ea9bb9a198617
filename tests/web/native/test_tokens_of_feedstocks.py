"""Tokens of feedstocks are made and shown once, rotated, revoked, listed without secrets, and imported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channeld.catalog import channels, feedstocks
from channeld.catalog.feedstocks import KeptToken
from channeld.promotion.feedstocktokens import RANDOM_BYTES, FeedstockTokens, new_token
from tests.support.server import RunningServer

NUMPY = "/api/v1/channels/chan/feedstocks/numpy"
TOKENS = f"{NUMPY}/tokens"
IMPORT = "/api/v1/channels/chan/feedstock-tokens"

MADE = [new_token(bytes([number]) * RANDOM_BYTES) for number in range(3)]


def file_of(*numbers: int, **fields: Any) -> dict[str, Any]:
    """Return what conda-smithy writes into a file, read back."""
    rows = FeedstockTokens(tuple(MADE[number].row for number in numbers))
    found: dict[str, Any] = json.loads(rows.written())
    return {"tokens": [{**row, **fields} for row in found["tokens"]]}


@pytest.fixture(autouse=True)
async def numpy(server: RunningServer) -> None:
    server.channel()
    await server.ask("POST", "/api/v1/channels/chan/feedstocks", {"name": "numpy"})


async def matched(
    server: RunningServer, text: str, provider: str | None = None, name: str = "numpy"
) -> int | None:
    """Check a token as a copy does."""

    def find(connection: Any) -> tuple[KeptToken, ...]:
        found = feedstocks.get(connection, channels.get(connection, "chan"), name)
        return feedstocks.tokens_of(connection, found.id)

    kept = await server.read(find)
    return await server.services.token_checks.check(kept, text, provider, feedstock=name, address="192.0.2.1")


async def states(server: RunningServer) -> list[tuple[str | None, bool, bool]]:
    listed = (await server.ask("GET", TOKENS)).json["tokens"]
    return [(each["provider"], each["revoked"], each["valid"]) for each in listed]


async def test_a_token_is_shown_once_and_works(server: RunningServer) -> None:
    made = await server.ask("POST", TOKENS, {"provider": "azure", "expires_in_seconds": 3600})
    assert made.status == 201
    text, state = made.json["token"], made.json["state"]
    assert len(text) == 64
    assert await matched(server, text, "azure") == state["id"]
    assert await matched(server, text) is None
    listed = await server.ask("GET", TOKENS)
    assert listed.json == {"tokens": [state]}
    assert set(state) == {"id", "provider", "created", "created_by", "expires", "revoked", "valid"}
    assert (state["provider"], state["valid"], state["revoked"]) == ("azure", True, False)
    assert text not in (await server.ask("GET", "/api/v1/audit")).body.decode()
    assert (await server.ask("GET", NUMPY)).json["tokens"] == 1


async def test_rotation_lets_the_old_one_work_for_a_while(server: RunningServer) -> None:
    old = (await server.ask("POST", TOKENS, {"provider": "azure"})).json
    new = (await server.ask("POST", TOKENS, {"provider": "azure", "overlap_seconds": 3600})).json
    assert await matched(server, old["token"], "azure") == old["state"]["id"]
    assert await matched(server, new["token"], "azure") == new["state"]["id"]
    at_once = (await server.ask("POST", TOKENS, {"overlap_seconds": 0})).json
    assert await states(server) == [("azure", False, True)] * 2 + [(None, False, True)]
    await server.ask("POST", TOKENS, {"provider": "azure", "overlap_seconds": 0})
    assert await states(server) == [
        ("azure", False, False),
        ("azure", False, False),
        (None, False, False),
        ("azure", False, True),
    ]
    assert await matched(server, at_once["token"]) is None


async def test_a_revoked_token_works_no_more(server: RunningServer) -> None:
    first, second = [(await server.ask("POST", TOKENS, {})).json for _ in range(2)]
    gone = await server.ask("DELETE", f"{TOKENS}/{first['state']['id']}")
    assert (gone.status, gone.json["revoked"], gone.json["valid"]) == (200, True, False)
    assert await matched(server, first["token"]) is None
    assert await matched(server, second["token"]) == second["state"]["id"]
    assert (await server.ask("DELETE", f"{TOKENS}/{first['state']['id']}")).json == gone.json
    assert (await server.ask("DELETE", TOKENS)).json == {"revoked": 1}
    assert await states(server) == [(None, True, False)] * 2


@pytest.mark.parametrize("token", ["999", "x", "-1", "1" * 30, "%C2%B2", "1.0"])
async def test_a_token_that_is_not_there_is_404(server: RunningServer, token: str) -> None:
    await server.ask("POST", TOKENS, {})
    assert (await server.ask("DELETE", f"{TOKENS}/{token}")).problem == (404, "feedstock_token_missing")
    assert await states(server) == [(None, False, True)]


async def test_a_fifth_token_has_to_replace_another(server: RunningServer) -> None:
    for _ in range(4):
        assert (await server.ask("POST", TOKENS, {})).status == 201
    assert (await server.ask("POST", TOKENS, {})).problem == (409, "too_many_feedstock_tokens")
    assert (await server.ask("POST", TOKENS, {"overlap_seconds": 0})).status == 201
    assert len(await states(server)) == 5


async def test_files_of_conda_smithy_are_imported_as_they_are(server: RunningServer) -> None:
    body = {
        "feedstocks": {
            "numpy": file_of(0, provider="azure", expires_at=1e300),
            "scipy-feedstock": file_of(1)["tokens"][0],
            "old": file_of(2, expires_at=1_000_000_000.5),
        }
    }
    answer = await server.ask("POST", IMPORT, body)
    assert answer.status == 200
    assert answer.json == {"added": 2, "known": 0, "shortened": 0, "ended": 1, "registered": 2}
    assert await matched(server, MADE[0].text, "azure") is not None
    assert await matched(server, MADE[1].text, name="scipy") is not None
    assert await matched(server, MADE[1].text) is None
    again = await server.ask("POST", IMPORT, body)
    assert again.json == {"added": 0, "known": 2, "shortened": 0, "ended": 1, "registered": 0}


async def test_an_import_does_not_bring_back_what_was_revoked(server: RunningServer) -> None:
    await server.ask("POST", IMPORT, {"feedstocks": {"numpy": file_of(0)}})
    await server.ask("DELETE", TOKENS)
    await server.ask("POST", IMPORT, {"feedstocks": {"numpy": file_of(0)}})
    assert await matched(server, MADE[0].text) is None
    assert await states(server) == [(None, True, False)]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"../x": file_of(1)}, (422, "feedstock_name_malformed")),
        ({"x": {"tokens": [{"salt": "zz", "hashed_token": "00"}]}}, (422, "token_file_malformed")),
        ({"x": {"tokens": 7}}, (422, "token_file_malformed")),
        ({"x": {}}, (422, "token_file_malformed")),
        ({"x": file_of(1, provider=7)}, (422, "token_file_malformed")),
        ({"x": file_of(1, expires_at="soon")}, (422, "token_file_malformed")),
        ({"x": []}, (400, "field_wrong")),
        ({"x": file_of(1), "numpy": {"tokens": [{"salt": f"{n:02x}", "hashed_token": "00"} for n in range(5)]}},
         (409, "too_many_feedstock_tokens")),
    ],
)  # fmt: skip
async def test_a_batch_is_imported_whole_or_not_at_all(
    server: RunningServer, files: dict[str, Any], problem: tuple[int, str]
) -> None:
    answer = await server.ask("POST", IMPORT, {"feedstocks": {"numpy": file_of(0), **files}})
    assert answer.problem == problem
    assert await states(server) == []
    assert (await server.ask("GET", "/api/v1/channels/chan/feedstocks/x")).status == 404


async def test_a_body_beyond_the_limit_is_refused(server: RunningServer) -> None:
    rows = {"feedstocks": {f"f{number}": file_of(0) for number in range(1700)}}
    answer = await server.ask("POST", IMPORT, data=json.dumps(rows).encode())
    assert answer.problem == (413, "body_too_large")
