"""``GET /openapi.json``: the routes as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from aiohttp import hdrs

from channeld import __version__
from channeld.catalog.rejections import ChannelMissing
from channeld.catalog.unavailable import CatalogUnavailable
from channeld.errors import ChanneldError, code_of
from channeld.web import auth
from channeld.web.errors import status_for
from channeld.web.native.route import FEEDSTOCK, PREFIX, Answer, Route
from channeld.web.rejections import BadBody, BadField
from channeld.web.shapes import Maybe, Schema, object_of

_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "What went wrong (RFC 9457), in a sentence, and what to do.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "What is wrong, with the names of the case."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do next; may be empty."},
        "code": {"type": "string", "description": "The rule that was broken. Stable across releases."},
        "data": {"type": "object", "description": "The data of the case."},
        "request_id": {"type": "string", "description": "Names the request in the server's log."},
    },
    "required": ["type", "title", "status", "detail", "code", "data", "request_id"],
}

#: What the varying parts of paths are.
_PLACES: Final = {
    "channel": "The name of a channel.",
    "label": "The name of a label. Its slashes may come as they are or as %2F.",
    "subdir": "A subdir.",
    "filename": "The file name of a package.",
    "token": "The id of a token: the second of its three parts, which is no secret.",
    "notice": "The id of a notice.",
    "webhook": "The id of a webhook.",
    "copy": "The id of a copy.",
    "feedstock": "The name of a feedstock, without `-feedstock` or with it.",
    "number": "The number of a token of a feedstock.",
    "output": "The name of a package.",
}

_TITLES: Final = {
    400: "Not understood",
    401: "No valid token",
    403: "The token does not reach that far",
    404: "Not there",
    405: "Another method",
    408: "The body stopped coming",
    409: "A conflict with what is there",
    413: "Too large",
    415: "Encoded",
    422: "Breaks a rule",
    429: "Too many failures",
    503: "Not now",
}


def document(routes: Iterable[Route]) -> Schema:
    """Describe routes."""
    asked: dict[str, Schema] = {}
    answered: dict[str, Schema] = {"Problem": _PROBLEM}
    paths: dict[str, Schema] = {}
    for route in routes:
        operation = _operation(route, asked, answered)
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = operation
    for schema in asked.values():
        schema["additionalProperties"] = False
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "channeld",
            "version": __version__,
            "description": "The native API. Times are RFC 3339 in UTC. Unknown fields and parameters are refused. "
            "Errors are `application/problem+json`.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**answered, **asked},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`Authorization: Bearer <token>`. `X-API-Key` and a password of Basic do as well.",
                },
                "feedstock": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Feedstock-Token",
                    "description": "The token of a feedstock. `FEEDSTOCK_TOKEN` and a bearer token do as well.",
                },
            },
        },
    }


def _operation(route: Route, asked: dict[str, Schema], answered: dict[str, Schema]) -> Schema:
    operation: Schema = {
        "operationId": f"{route.noun}_{route.handler.__name__.rstrip('_')}",
        "tags": [route.noun],
        "summary": route.summary,
        "description": _description(route),
        "parameters": [*_places(route), *_query(route), *_headers(route)],
        "responses": {
            **{str(answer.status): _answer(answer, answered) for answer in route.answers},
            **_refusals(route),
        },
    }
    if route.right == FEEDSTOCK:
        operation["security"] = [{"feedstock": []}, {"token": []}]
    elif route.right is not None:
        operation["security"] = [{"token": []}]
    elif route.places:
        operation["security"] = [{}, {"token": []}]
    if route.body is not None:
        schema = object_of(route.body).schema(asked)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    elif route.raw_body:
        content: Schema = {route.raw_body: {}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _description(route: Route) -> str:
    right = f"Needs the right `{route.right}`." if route.right and route.right != FEEDSTOCK else ""
    return " ".join(part for part in (route.text, right) if part)


def _places(route: Route) -> list[Schema]:
    return [
        {
            "name": place,
            "in": "path",
            "required": True,
            "description": _PLACES[place],
            "schema": {"type": "string"},
        }
        for place in route.places
    ]


def _query(route: Route) -> list[Schema]:
    parameters: list[Schema] = []
    for name, member in object_of(route.query).members.items() if route.query is not None else ():
        shape = member.shape.of if isinstance(member.shape, Maybe) else member.shape
        schema = shape.schema({})
        if not member.required and member.default not in (None, "", ()):
            schema["default"] = member.default
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": member.required,
                "description": member.text,
                "schema": schema,
            }
        )
    return parameters


def _headers(route: Route) -> list[Schema]:
    return [
        {"name": header.name, "in": "header", "description": header.text, "schema": {"type": "string"}}
        for header in route.headers
    ]


def _answer(answer: Answer, answered: dict[str, Schema]) -> Schema:
    described: Schema = {"description": answer.text}
    if isinstance(answer.kind, str):
        described["content"] = {answer.kind: {}}
    elif answer.kind is not None:
        schema = object_of(answer.kind).schema(answered)
        described["content"] = {"application/json": {"schema": schema}}
    return described


def _refusals(route: Route) -> dict[str, Schema]:
    """Describe the errors of a route by their status, with the names of their rules."""
    rules: dict[int, set[str]] = {}
    for rule in rules_of(route):
        rules.setdefault(status_for(rule), set()).add(code_of(rule))
    return {
        str(status): {
            "description": f"{_TITLES[status]}: {', '.join(f'`{code}`' for code in sorted(codes))}.",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, codes in sorted(rules.items())
    }


def rules_of(route: Route) -> list[type[ChanneldError]]:
    """List the rules that a route may find broken: its own, and what follows from its path, body and right."""
    rules: list[type[ChanneldError]] = [*route.refusals, CatalogUnavailable, BadField]
    if "channel" in route.places:
        rules.append(ChannelMissing)
    if route.right is not None or route.places:
        rules += [auth.TokenRequired, auth.TokenInvalid, auth.NotAllowed, auth.TooManyFailures]
    if route.body is not None or route.method in (hdrs.METH_PUT, hdrs.METH_POST):
        rules.append(BadBody)
    return [each for rule in rules for each in _family(rule)]


def _family(rule: type[ChanneldError]) -> Iterator[type[ChanneldError]]:
    """Yield a rule, and those that are of its family where it is the name of one."""
    if rule.sentence is not ChanneldError.sentence:
        yield rule
    for each in rule.__subclasses__():
        yield from _family(each)
