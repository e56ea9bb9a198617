"""What the registry of a channel has, fetched page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from channeld.cli.client import Client, path
from channeld.promotion.outputs import Globs, Registry

_ROWS = 1000


def every(
    client: Client, place: str, noun: str, wanted: Mapping[str, str | int | None] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield all rows of a list; ``noun`` is the name that the answer has for them."""
    after: str | int | None = None
    while True:
        page = client.ask("GET", place, query={**(wanted or {}), "limit": _ROWS, "after": after})
        yield from page[noun]
        after = page["next"]
        if not after:
            return


def registry_of(client: Client, channel: str) -> Registry:
    """Fetch all outputs and globs of a channel."""
    outputs = {
        each["name"]: tuple(each["feedstocks"])
        for each in every(client, path("channels", channel, "outputs"), "outputs")
    }
    globs: dict[str, list[str]] = {}
    for each in every(client, path("channels", channel, "globs"), "globs"):
        globs.setdefault(each["feedstock"], []).append(each["glob"])
    return Registry(outputs, Globs({name: tuple(globs[name]) for name in sorted(globs)}))
