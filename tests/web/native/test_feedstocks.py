"""Feedstocks are registered, listed, archived and brought back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import Answer, RunningServer, grant

FEEDSTOCKS = "/api/v1/channels/chan/feedstocks"


@pytest.fixture(autouse=True)
def chan(server: RunningServer) -> None:
    server.channel()


def details(answer: Answer, name: str, **changes: Any) -> dict[str, Any]:
    found = {"created": answer.json["created"], "archived": None, "outputs": 0, "globs": 0, "tokens": 0}
    return {"name": name, **found, **changes}


async def test_a_feedstock_is_registered_with_what_it_may_publish(server: RunningServer) -> None:
    body = {"name": "llvmdev", "outputs": ["llvmdev", "LLVM", "llvm"], "globs": ["libllvm*"]}
    made = await server.ask("POST", FEEDSTOCKS, body)
    assert (made.status, made.json) == (201, details(made, "llvmdev", outputs=2, globs=1))
    shown = await server.ask("GET", f"{FEEDSTOCKS}/llvmdev", token=None)
    assert (shown.status, shown.json) == (200, made.json)
    publishers = await server.ask("GET", "/api/v1/channels/chan/outputs/libllvm19", token=None)
    assert publishers.json["feedstocks"] == ["llvmdev"]


async def test_registering_again_adds_what_is_missing(server: RunningServer) -> None:
    await server.ask("POST", FEEDSTOCKS, {"name": "numpy", "outputs": ["numpy"]})
    body = {"name": "numpy", "outputs": ["numpy", "numpy-base"]}
    again = await server.ask("POST", FEEDSTOCKS, body)
    assert (again.status, again.json) == (200, details(again, "numpy", outputs=2))


async def test_the_name_of_the_repository_means_the_feedstock(server: RunningServer) -> None:
    made = await server.ask("POST", FEEDSTOCKS, {"name": "numpy-feedstock"})
    assert (made.status, made.json["name"]) == (201, "numpy")
    assert (await server.ask("GET", f"{FEEDSTOCKS}/numpy-feedstock")).json == made.json
    assert (await server.ask("POST", FEEDSTOCKS, {"name": "numpy"})).status == 200


async def test_archiving_and_back(server: RunningServer) -> None:
    made = await server.ask("POST", FEEDSTOCKS, {"name": "numpy", "outputs": ["numpy"]})
    archived = await server.ask("PATCH", f"{FEEDSTOCKS}/numpy", {"archived": True})
    assert archived.status == 200
    assert archived.json == {**made.json, "archived": archived.json["archived"]}
    assert archived.json["archived"] > made.json["created"]
    whose = (await server.ask("GET", "/api/v1/channels/chan/outputs/numpy")).json
    assert (whose["registered"], whose["feedstocks"]) == (["numpy"], [])
    back = await server.ask("PATCH", f"{FEEDSTOCKS}/numpy", {"archived": False})
    assert (back.status, back.json) == (200, made.json)


async def test_they_are_listed_in_pages(server: RunningServer) -> None:
    for name in ("c", "a", "b"):
        await server.ask("POST", FEEDSTOCKS, {"name": name})
    await server.ask("PATCH", f"{FEEDSTOCKS}/b", {"archived": True})

    async def names(query: str) -> tuple[list[str], str]:
        page = (await server.ask("GET", f"{FEEDSTOCKS}?{query}", token=None)).json
        return [each["name"] for each in page["feedstocks"]], page["next"]

    assert await names("limit=2") == (["a", "b"], "b")
    assert await names("limit=2&after=b") == (["c"], "")
    assert await names("archived=true") == (["b"], "")
    assert await names("archived=false") == (["a", "c"], "")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"name": "../x"}, (422, "feedstock_name_malformed")),
        ({"name": "a/b"}, (422, "feedstock_name_malformed")),
        ({"name": "-feedstock"}, (422, "feedstock_name_malformed")),
        ({"name": "x", "outputs": ["fine", "../x"]}, (422, "package_name_malformed")),
        ({"name": "x", "outputs": ["lib*"]}, (422, "package_name_malformed")),
        ({"name": "x", "globs": ["*"]}, (422, "glob_malformed")),
        ({"name": "x", "outputs": "numpy"}, (400, "field_wrong")),
        ({"name": "x", "outputs": ["y"] * 5001}, (400, "field_wrong")),
        ({}, (400, "field_absent")),
    ],
)
async def test_what_breaks_a_rule_registers_nothing(
    server: RunningServer, body: dict[str, Any], problem: tuple[int, str]
) -> None:
    assert (await server.ask("POST", FEEDSTOCKS, body)).problem == problem
    assert (await server.ask("GET", FEEDSTOCKS)).json == {"feedstocks": [], "next": ""}


@pytest.mark.parametrize("name", ["none", "..%2F..%2Fetc", "%2e%2e", "a%20b", "%00", "none-feedstock"])
async def test_what_is_not_there_is_404(server: RunningServer, name: str) -> None:
    path = f"{FEEDSTOCKS}/{name}"
    answers = [
        await server.ask("GET", path),
        await server.ask("PATCH", path, {"archived": True}),
        await server.ask("GET", f"{path}/tokens"),
        await server.ask("POST", f"{path}/tokens", {}),
        await server.ask("DELETE", f"{path}/tokens"),
    ]
    assert [answer.status for answer in answers] == [404] * 5


async def test_only_who_may_configure_the_channel_changes_them(server: RunningServer) -> None:
    await server.ask("POST", FEEDSTOCKS, {"name": "numpy", "outputs": ["numpy"], "globs": ["numpy-*"]})
    outputs = "/api/v1/channels/chan/outputs"
    asked: list[tuple[str, str, Any]] = [
        ("POST", FEEDSTOCKS, {"name": "x"}),
        ("PATCH", f"{FEEDSTOCKS}/numpy", {"archived": True}),
        ("GET", f"{FEEDSTOCKS}/numpy/tokens", None),
        ("POST", f"{FEEDSTOCKS}/numpy/tokens", {}),
        ("DELETE", f"{FEEDSTOCKS}/numpy/tokens", None),
        ("DELETE", f"{FEEDSTOCKS}/numpy/tokens/1", None),
        ("POST", "/api/v1/channels/chan/feedstock-tokens", {"feedstocks": {}}),
        ("POST", outputs, {"feedstock": "numpy", "outputs": ["x"]}),
        ("DELETE", f"{outputs}/numpy?feedstock=numpy", None),
        ("DELETE", "/api/v1/channels/chan/globs?feedstock=numpy&glob=numpy-*", None),
        ("POST", "/api/v1/channels/chan/registry", {"outputs": {}, "globs": {}}),
    ]
    others = (
        None,
        server.token(grant("read", "upload", "label", "delete", "admin")),
        server.token(grant("configure", channels="other")),
        server.token(grant("configure", labels="main")),
    )
    before = (await server.ask("GET", "/api/v1/audit")).json["entries"]
    for token in others:
        statuses = {
            (await server.ask(method, path, body, token=token)).status for method, path, body in asked
        }
        assert statuses == {401 if token is None else 403}
    assert (await server.ask("GET", "/api/v1/audit")).json["entries"] == before
    mine = server.token(grant("configure", channels="chan"))
    statuses = {(await server.ask(method, path, body, token=mine)).status for method, path, body in asked}
    assert statuses <= {200, 201, 204, 404}


async def test_the_registry_of_a_private_channel_is_for_its_readers(server: RunningServer) -> None:
    server.channel("hidden", private=True)
    places = [
        f"/api/v1/channels/hidden/{rest}"
        for rest in ("feedstocks", "feedstocks/x", "outputs", "outputs/x", "globs")
    ]
    some = server.token(grant("read", channels="hidden", labels="main"))
    all_of_it = server.token(grant("read", channels="hidden"))
    assert {(await server.ask("GET", place, token=None)).status for place in places} == {401}
    assert {(await server.ask("GET", place, token=some)).status for place in places} == {403}
    assert {(await server.ask("GET", place, token=all_of_it)).status for place in places} == {200, 404}
