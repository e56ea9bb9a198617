"""anaconda.org's API, as far as uploads, look-ups and labels need it."""

from __future__ import annotations

from aiohttp import web

from channeld.web.dialects.anaconda import accounts, copies, labels, lookups, removals, uploads
from channeld.web.dialects.anaconda.wire import add


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the routes, at the root: that is where the clients look for them."""
    for module in (accounts, lookups, uploads, labels, copies, removals):
        add(router, module.ROUTES)
