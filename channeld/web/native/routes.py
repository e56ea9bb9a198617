"""Every route of the API, in the order of its documentation, and the two that describe it."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Final

from channeld import __version__
from channeld.pages.rendering import api_page
from channeld.pages.values import ApiPage, RouteGroup, RouteLine
from channeld.web.native import (
    audit,
    channels,
    copies,
    feedstocks,
    feedstocktokens,
    files,
    labels,
    notices,
    openapi,
    outputs,
    relabel,
    requests,
    status,
    tokens,
    uploads,
    webhooks,
)
from channeld.web.native.route import PREFIX, Answer, Call, Reply, Route, Written, written_json
from channeld.web.urls import HTML


async def describe(_call: Call) -> Reply:
    return Reply(_document())


async def explain(_call: Call) -> Reply:
    return Reply(_page())


@cache
def _document() -> Written:
    return written_json(openapi.document(ROUTES))


@cache
def _page() -> Written:
    groups = tuple(
        RouteGroup(noun, tuple(_line(route) for route in routes))
        for noun, routes in groupby(ROUTES, key=lambda route: route.noun)
    )
    return Written(api_page(ApiPage(__version__, "openapi.json", groups)), HTML)


def _line(route: Route) -> RouteLine:
    return RouteLine(
        method=route.method,
        path=PREFIX + route.path,
        summary=route.summary,
        text=route.text,
        right=route.right or "",
    )


ROUTES: Final[tuple[Route, ...]] = (
    *channels.ROUTES,
    *uploads.ROUTES,
    *files.ROUTES,
    *relabel.ROUTES,
    *copies.ROUTES,
    *feedstocks.ROUTES,
    *feedstocktokens.ROUTES,
    *outputs.ROUTES,
    *requests.ROUTES,
    *labels.ROUTES,
    *notices.ROUTES,
    *tokens.ROUTES,
    *webhooks.ROUTES,
    *audit.ROUTES,
    *status.ROUTES,
    Route(
        "GET",
        "/",
        "Show this page",
        explain,
        (Answer(200, "The page.", "text/html"),),
    ),
    Route(
        "GET",
        "/openapi.json",
        "Describe the API",
        describe,
        (Answer(200, "An OpenAPI 3.1 document.", "application/json"),),
    ),
)
