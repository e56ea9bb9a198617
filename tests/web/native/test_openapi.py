"""The OpenAPI document describes every route, and nothing else; answers are as it says."""

from __future__ import annotations

import re
from inspect import signature
from typing import Any

import pytest
from aiohttp import hdrs
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from channeld.web.app import make_app
from channeld.web.native.route import PREFIX, Route
from channeld.web.native.routes import ROUTES
from tests.support.html import read
from tests.support.packages import build_conda
from tests.support.server import RunningServer

DOCUMENT = f"{PREFIX}/openapi.json"


async def document(server: RunningServer) -> dict[str, Any]:
    answer = await server.ask("GET", DOCUMENT, token=None)
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


async def test_the_document_is_valid(server: RunningServer) -> None:
    assert list(OpenAPIV31SpecValidator(await document(server)).iter_errors()) == []


async def test_it_has_every_route_of_the_router_and_nothing_else(server: RunningServer) -> None:
    described = {
        (method.upper(), path) for path, item in (await document(server))["paths"].items() for method in item
    }
    routed = {
        (route.method, re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.resource.canonical))
        for route in make_app(server.services).router.routes()
        if route.resource is not None and route.method not in (hdrs.METH_ANY, hdrs.METH_HEAD)
    }
    native = {(method, path) for method, path in routed if path.startswith(PREFIX)}
    # prefix.dev's upload lives below the same prefix and is documented by its client
    assert native - {("POST", f"{PREFIX}/upload/{{channel}}")} == described


async def test_operations_have_names_of_their_own(server: RunningServer) -> None:
    names = [
        operation["operationId"]
        for item in (await document(server))["paths"].values()
        for operation in item.values()
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_handler_takes_what_its_path_has(route: Route) -> None:
    taken = set(signature(route.handler).parameters) - {"call", "_call", "query", "body"}
    assert taken == set(route.places)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_whatever_changes_something_takes_a_token(route: Route) -> None:
    assert route.method == "GET" or route.right is not None


async def test_answers_are_as_described(server: RunningServer) -> None:
    server.channel()
    await server.upload("alpha-1.0-0.conda", build_conda("alpha"))
    await server.ask("POST", f"{PREFIX}/channels/chan/notices", {"message": "Hello."})
    server.channel("chan-staging", kind="staging", promotes_to="chan")
    copy = await server.ask("POST", f"{PREFIX}/channels/chan/copies", {"outputs": {}})
    await server.ask("POST", f"{PREFIX}/channels/chan/feedstocks", {"name": "alpha", "outputs": ["alpha"]})
    await server.ask("POST", f"{PREFIX}/channels/chan/feedstocks/alpha/tokens", {})
    hook = await server.ask("POST", f"{PREFIX}/webhooks", {"url": "https://example.org/"})
    described = await document(server)
    values = {
        "{webhook}": hook.json["webhook"]["id"],
        "{feedstock}": "alpha",
        "{output}": "alpha",
        "{copy}": copy.json["id"],
        "{channel}": "chan",
        "{label}": "main",
        "{subdir}": "noarch",
        "{filename}": "alpha-1.0-0.conda",
        "{token}": server.admin.split("-")[1],
    }
    for path, item in described["paths"].items():
        if "get" not in item or path in (f"{PREFIX}/", DOCUMENT):
            continue
        asked = re.sub(r"\{\w+\}", lambda found: values[found[0]], path)
        answer = await server.ask("GET", asked)
        schema = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        check(described, schema, answer.json)


async def test_problems_are_as_described(server: RunningServer) -> None:
    described = await document(server)
    answer = await server.ask("GET", f"{PREFIX}/channels/none")
    operation = described["paths"][f"{PREFIX}/channels/{{channel}}"]["get"]["responses"]["404"]
    assert "`channel_missing`" in operation["description"]
    check(described, operation["content"]["application/problem+json"]["schema"], answer.json)
    assert answer.headers["Content-Type"] == "application/problem+json"


def check(described: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    whole = {**schema, "components": described["components"]}
    assert [error.message for error in OAS31Validator(whole).iter_errors(value)] == []


async def test_the_page_for_people_names_every_route(server: RunningServer) -> None:
    answer = await server.ask("GET", f"{PREFIX}/", token=None)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    page = read(answer.body)
    assert list(page.all("script")) == []
    shown = [code.text for code in page.all("code")]
    assert shown == [f"{route.method} {PREFIX}{route.path}" for route in ROUTES]
