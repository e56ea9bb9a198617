"""What a request brings is what the route takes, or the request is refused in words and nothing is done."""

from __future__ import annotations

import json

import pytest

from tests.support.server import RunningServer

CHANNELS = "/api/v1/channels"


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (
            b'{"name": "a", "privat": true}',
            (
                "There is no field or parameter privat here; known are name, kind, private, legacy, subdirs, "
                "description, promotes_to, copies_by_md5."
            ),
        ),
        (b"{}", "The request lacks name."),
        (b'{"name": 1}', "name must be a text of at most 128 characters, without NUL, not 1."),
        (b'{"name": "a", "private": "yes"}', 'private must be true or false, not "yes".'),
        (b'{"name": "a", "private": 1}', "private must be true or false, not 1."),
        (b'{"name": "a", "kind": "odd"}', "kind must be one of 'standard', 'staging', not \"odd\"."),
        (b'{"name": "a", "subdirs": "noarch"}', 'subdirs must be a list, not "noarch".'),
        (
            b'{"name": "a", "subdirs": ["noarch", 1]}',
            "subdirs[1] must be a text of at most 32 characters, without NUL, not 1.",
        ),
        (
            b'{"name": "a", "description": "\\u0000"}',
            'description must be a text of at most 10000 characters, without NUL, not "\\u0000".',
        ),
        (b"[]", "The body of the request is not a JSON object: it is JSON of another kind."),
        (b"", "The body of the request is not a JSON object: it is empty."),
    ],
)
async def test_a_wrong_body_is_refused_in_words(server: RunningServer, data: bytes, title: str) -> None:
    refused = await server.ask("POST", CHANNELS, data=data)
    assert (refused.status, refused.json["title"]) == (400, title)
    assert (await server.ask("GET", CHANNELS)).json == {"channels": []}


@pytest.mark.parametrize("data", [b"{", b'{"name": "\xff"}', b'{"name": "\\ud800"}', b"[" * 100_000])
async def test_what_is_no_json_is_refused(server: RunningServer, data: bytes) -> None:
    assert (await server.ask("POST", CHANNELS, data=data)).problem == (400, "body_not_json")
    assert (await server.ask("GET", CHANNELS)).json == {"channels": []}


async def test_a_field_that_is_null_is_as_if_it_were_not_there(server: RunningServer) -> None:
    answer = await server.ask("POST", CHANNELS, {"name": "a", "private": None, "kind": None})
    assert (answer.status, answer.json["private"], answer.json["kind"]) == (201, False, "standard")


async def test_a_body_that_is_too_large_is_refused(server: RunningServer) -> None:
    data = json.dumps({"name": "a", "description": "x" * 1024 * 1024}).encode()
    assert (await server.ask("POST", CHANNELS, data=data)).problem == (413, "body_too_large")
    assert (await server.ask("GET", CHANNELS)).json == {"channels": []}


async def test_the_token_is_checked_before_the_body_is_read(server: RunningServer) -> None:
    assert (await server.ask("POST", CHANNELS, data=b"{", token=None)).problem == (401, "token_required")


@pytest.mark.parametrize("path", [f"{CHANNELS}?x=1", f"{CHANNELS}/a?force=true", "/api/v1/token?a=b"])
async def test_a_parameter_that_the_route_does_not_take_is_refused(server: RunningServer, path: str) -> None:
    refused = await server.ask("GET", path)
    assert refused.problem == (400, "field_unknown")
    assert refused.json["title"].endswith("none is taken.")


@pytest.mark.parametrize(
    "path", [f"{CHANNELS}/%00", f"{CHANNELS}/a%00b/labels/x", f"{CHANNELS}/a/files/noarch/%00"]
)
async def test_what_no_database_could_look_up_is_not_there(server: RunningServer, path: str) -> None:
    assert (await server.ask("GET", path)).problem == (404, "nothing_here")


async def test_another_method_is_told_which_ones_there_are(server: RunningServer) -> None:
    refused = await server.ask("PUT", f"{CHANNELS}/a")
    assert refused.problem == (405, "method_not_known")
    assert refused.headers["Allow"] == "DELETE,GET,PATCH"


async def test_a_path_that_is_no_route_is_not_there(server: RunningServer) -> None:
    for method in ("GET", "PUT"):
        assert (await server.ask(method, "/api/v1/nothing")).problem == (404, "nothing_here")


async def test_head_answers_as_get_without_the_body(server: RunningServer) -> None:
    server.channel()
    got = await server.ask("GET", f"{CHANNELS}/chan")
    head = await server.ask("HEAD", f"{CHANNELS}/chan")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.body))
