"""The native API, ``/api/v1/``: JSON in and out, each route declared once."""

from __future__ import annotations

from aiohttp import web


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the routes."""
