"""The native API, ``/api/v1/``: JSON in and out, each route declared once."""

from __future__ import annotations

from aiohttp import web

from channeld.web.native.routes import ROUTES
from channeld.web.native.wiring import add


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the routes."""
    add(router, ROUTES)
