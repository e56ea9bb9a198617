"""An owner is a channel; a token stands for the channel that it is all about."""

from __future__ import annotations

import pytest

from channeld.catalog.grants import Grant
from tests.support.anaconda import Client
from tests.support.server import RunningServer, grant


async def test_a_channel_is_a_user(server: RunningServer) -> None:
    server.channel("tools", description="Our tools")
    answer = await Client(server, None).ask("GET", "/user/tools")
    assert answer.status == 200
    assert {**answer.json, "created_at": ""} == {
        "login": "tools",
        "name": "tools",
        "description": "Our tools",
        "user_type": "org",
        "created_at": "",
    }


async def test_what_is_no_channel_is_no_user(client: Client) -> None:
    answer = await client.ask("GET", "/user/nobody")
    assert (answer.status, list(answer.json)) == (404, ["error"])


@pytest.mark.parametrize(
    ("channels", "status"),
    [("secret", 200), ("sec*", 200), ("chan", 404)],
    ids=["its own", "a pattern", "another"],
)
async def test_a_private_channel_is_a_user_for_whoever_may_do_anything_there(
    server: RunningServer, channels: str, status: int
) -> None:
    server.channel("secret", private=True)
    token = server.token(grant("upload", channels=channels))
    assert (await Client(server, token).ask("GET", "/user/secret")).status == status
    assert (await Client(server, None).ask("GET", "/user/secret")).status == 401


@pytest.mark.parametrize(
    ("grants", "login"),
    [
        ([grant("upload", channels="chan")], "chan"),
        ([grant("upload", channels="chan"), grant("label", channels="chan", labels="dev")], "chan"),
        ([grant("upload", channels="chan"), grant("read", channels="other")], None),
        ([grant("upload", channels="ch*")], None),
        ([grant("upload", channels="gone")], None),
    ],
)
async def test_a_token_stands_for_its_channel_or_for_itself(
    server: RunningServer, grants: list[Grant], login: str | None
) -> None:
    token = server.token(*grants)
    answer = await Client(server, token).ask("GET", "/user")
    assert (answer.status, answer.json["login"]) == (200, login or token.split("-")[1])


async def test_a_token_is_shown_without_its_secret(server: RunningServer) -> None:
    token = server.token(grant("upload", "label", channels="chan"), name="CI")
    answer = await Client(server, token).ask("GET", "/authentication")
    assert answer.status == 200
    assert {**answer.json, "created": ""} == {
        "id": token.split("-")[1],
        "application": "CI",
        "user": "chan",
        "scopes": ["label:chan", "upload:chan"],
        "created": "",
        "expires": None,
    }
    assert token.split("-")[2].encode() not in answer.body


@pytest.mark.parametrize("path", ["/user", "/authentication"])
@pytest.mark.parametrize("token", [None, "cd-nobody-nothing"])
async def test_without_a_valid_token_there_is_none_to_show(
    server: RunningServer, path: str, token: str | None
) -> None:
    answer = await Client(server, token).ask("GET", path)
    assert (answer.status, list(answer.json)) == (401, ["error"])


async def test_the_way_to_log_in_is_named_and_leads_to_a_sentence(server: RunningServer) -> None:
    client = Client(server, None)
    assert (await client.ask("GET", "/authentication-type")).json == {"authentication_type": "password"}
    answer = await client.ask("POST", "/authentications", {"scopes": []})
    assert (answer.status, answer.json) == (
        403,
        {
            "error": "This server has no passwords: its operator makes the tokens. "
            "Give the token as `anaconda -t <token>`, or in the variable ANACONDA_API_TOKEN."
        },
    )
