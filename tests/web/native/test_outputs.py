"""Outputs and globs are registered for feedstocks, taken from them, listed, and asked about."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.server import RunningServer

CHAN = "/api/v1/channels/chan"
OUTPUTS, GLOBS, REGISTRY = f"{CHAN}/outputs", f"{CHAN}/globs", f"{CHAN}/registry"


@pytest.fixture(autouse=True)
async def feedstocks(server: RunningServer) -> None:
    server.channel()
    for name in ("numpy", "llvmdev"):
        await server.ask("POST", f"{CHAN}/feedstocks", {"name": name})


async def outputs(server: RunningServer, query: str = "") -> list[tuple[str, list[str]]]:
    page = (await server.ask("GET", f"{OUTPUTS}?{query}", token=None)).json
    return [(each["name"], each["feedstocks"]) for each in page["outputs"]]


async def globs(server: RunningServer, query: str = "") -> list[tuple[str, str]]:
    page = (await server.ask("GET", f"{GLOBS}?{query}", token=None)).json
    return [(each["feedstock"], each["glob"]) for each in page["globs"]]


async def test_outputs_and_globs_are_added_together(server: RunningServer) -> None:
    body = {"feedstock": "llvmdev-feedstock", "outputs": ["llvm", "LLVM-tools"], "globs": ["libllvm*"]}
    added = await server.ask("POST", OUTPUTS, body)
    assert (added.status, added.json) == (200, {"feedstocks": 0, "outputs": 2, "globs": 1})
    assert (await server.ask("POST", OUTPUTS, body)).json == {"feedstocks": 0, "outputs": 0, "globs": 0}
    await server.ask("POST", OUTPUTS, {"feedstock": "numpy", "outputs": ["llvm"], "globs": ["numpy-*"]})
    assert await outputs(server) == [("llvm", ["llvmdev", "numpy"]), ("llvm-tools", ["llvmdev"])]
    assert await outputs(server, "feedstock=numpy") == [("llvm", ["llvmdev", "numpy"])]
    assert await globs(server) == [("llvmdev", "libllvm*"), ("numpy", "numpy-*")]
    assert await globs(server, "feedstock=llvmdev-feedstock") == [("llvmdev", "libllvm*")]


async def test_who_may_publish_a_name(server: RunningServer) -> None:
    await server.ask("POST", OUTPUTS, {"feedstock": "llvmdev", "globs": ["libllvm*", "lib*"]})
    await server.ask("POST", OUTPUTS, {"feedstock": "numpy", "outputs": ["libllvm19"]})
    asked = await server.ask("GET", f"{OUTPUTS}/libllvm19", token=None)
    assert (asked.status, asked.json) == (
        200,
        {
            "name": "libllvm19",
            "feedstocks": ["llvmdev", "numpy"],
            "registered": ["numpy"],
            "matched": [{"feedstock": "llvmdev", "glob": "libllvm*"}],
        },
    )
    nobodys = (await server.ask("GET", f"{OUTPUTS}/nmupy")).json
    assert nobodys == {"name": "nmupy", "feedstocks": [], "registered": [], "matched": []}


@pytest.mark.parametrize("name", ["..%2F..%2Fx", "a%20b", "lib*", "%C3%A4", "x" * 65])
async def test_what_names_no_package_is_nobodys_and_told(server: RunningServer, name: str) -> None:
    assert (await server.ask("GET", f"{OUTPUTS}/{name}")).status == 422
    assert (await server.ask("DELETE", f"{OUTPUTS}/{name}?feedstock=numpy")).status == 422


async def test_what_was_taken_away_is_no_longer_its_own(server: RunningServer) -> None:
    await server.ask("POST", OUTPUTS, {"feedstock": "numpy", "outputs": ["numpy"], "globs": ["n[a-z]*-?"]})
    assert (await server.ask("DELETE", f"{OUTPUTS}/NumPy?feedstock=numpy")).status == 204
    glob = quote("n[a-z]*-?")
    assert (await server.ask("DELETE", f"{GLOBS}?feedstock=numpy&glob={glob}")).status == 204
    assert (await outputs(server), await globs(server)) == ([], [])
    again = await server.ask("DELETE", f"{OUTPUTS}/numpy?feedstock=numpy")
    assert again.problem == (404, "output_not_registered")
    again = await server.ask("DELETE", f"{GLOBS}?feedstock=numpy&glob={glob}")
    assert again.problem == (404, "glob_missing")


async def test_what_a_glob_registered_stays_when_the_glob_goes(server: RunningServer) -> None:
    await server.ask("POST", OUTPUTS, {"feedstock": "numpy", "outputs": ["numpy-x"], "globs": ["numpy-*"]})
    await server.ask("DELETE", f"{GLOBS}?feedstock=numpy&glob=numpy-*")
    assert (await server.ask("GET", f"{OUTPUTS}/numpy-x")).json["feedstocks"] == ["numpy"]
    assert (await server.ask("GET", f"{OUTPUTS}/numpy-y")).json["feedstocks"] == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"feedstock": "none", "outputs": ["x"]}, (404, "feedstock_missing")),
        ({"feedstock": "a/b", "outputs": ["x"]}, (422, "feedstock_name_malformed")),
        ({"feedstock": "numpy", "outputs": ["x", "../y"]}, (422, "package_name_malformed")),
        ({"feedstock": "numpy", "outputs": ["x"], "globs": ["[a-z]*"]}, (422, "glob_malformed")),
        ({"feedstock": "numpy", "outputs": ["x"] * 5001}, (400, "field_wrong")),
        ({"outputs": ["x"]}, (400, "field_absent")),
    ],
)
async def test_what_breaks_a_rule_adds_nothing(
    server: RunningServer, body: dict[str, Any], problem: tuple[int, str]
) -> None:
    assert (await server.ask("POST", OUTPUTS, body)).problem == problem
    assert (await outputs(server), await globs(server)) == ([], [])


async def test_a_registry_is_imported_with_its_feedstocks(server: RunningServer) -> None:
    part = {"outputs": {"bc": ["gnu", "bc"], "numpy": ["numpy"]}, "globs": {"llvmdev": ["libllvm*"], "x": []}}
    done = await server.ask("POST", REGISTRY, part)
    assert (done.status, done.json) == (200, {"feedstocks": 3, "outputs": 3, "globs": 1})
    assert (await server.ask("POST", REGISTRY, part)).json == {"feedstocks": 0, "outputs": 0, "globs": 0}
    assert await outputs(server) == [("bc", ["gnu", "bc"]), ("numpy", ["numpy"])]


@pytest.mark.parametrize(
    "part",
    [
        {"outputs": {"fine": ["fine"], "../x": ["x"]}, "globs": {}},
        {"outputs": {"fine": ["fine", "../x"]}, "globs": {}},
        {"outputs": {"fine": ["fine"]}, "globs": {"fine": ["fine*", "**"]}},
        {"outputs": {"fine": [f"f{number}" for number in range(5001)]}, "globs": {}},
        {"outputs": {"fine": "fine"}, "globs": {}},
        {"outputs": {"fine": ["fine"]}},
    ],
)
async def test_a_batch_is_imported_whole_or_not_at_all(server: RunningServer, part: dict[str, Any]) -> None:
    assert (await server.ask("POST", REGISTRY, part)).status in (400, 422)
    assert (await outputs(server), await globs(server)) == ([], [])
    assert (await server.ask("GET", f"{CHAN}/feedstocks/fine")).status == 404


async def test_lists_come_in_pages(server: RunningServer) -> None:
    part = {
        "outputs": {f"o{number}": ["numpy"] for number in range(5)},
        "globs": {"numpy": ["a*", "b*", "c*"]},
    }
    await server.ask("POST", REGISTRY, part)
    first = (await server.ask("GET", f"{OUTPUTS}?limit=3")).json
    assert ([each["name"] for each in first["outputs"]], first["next"]) == (["o0", "o1", "o2"], "o2")
    assert [name for name, _ in await outputs(server, "limit=3&after=o2")] == ["o3", "o4"]
    page = (await server.ask("GET", f"{GLOBS}?limit=2")).json
    assert [each["glob"] for each in page["globs"]] == ["a*", "b*"]
    rest = (await server.ask("GET", f"{GLOBS}?limit=2&after={page['next']}")).json
    assert ([each["glob"] for each in rest["globs"]], rest["next"]) == (["c*"], None)
    for place in (OUTPUTS, GLOBS):
        assert (await server.ask("GET", f"{place}?feedstock=none")).problem == (404, "feedstock_missing")


async def test_every_change_is_in_the_audit_with_its_reason(server: RunningServer) -> None:
    body = {"feedstock": "numpy", "outputs": ["numpy"], "globs": ["numpy-*"]}
    await server.ask("POST", OUTPUTS, body, headers={"X-Reason": "asked for"})
    rows = (await server.ask("GET", "/api/v1/audit?channel=chan&limit=2")).json["entries"]
    assert [(row["action"], row["subject"], row["after"], row["reason"]) for row in rows] == [
        ("glob.add", "numpy", {"glob": "numpy-*"}, "asked for"),
        ("output.register", "numpy", {"feedstocks": ["numpy"]}, "asked for"),
    ]
