"""What ``channeld copy start`` sends: packages with their hashes, and a feedstock's token beside the server's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from channeld.cli.client import Client, path, reason_field
from channeld.cli.failures import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be copied, and how. A hash that is "" is looked up on staging."""

    channel: str
    outputs: Sequence[tuple[str, str]]
    label: str
    staging: str
    feedstock: str
    token: str = field(repr=False)
    provider: str | None
    extent: str
    dry_run: bool
    #: Whether to wait for the end.
    waits: bool
    reason: str

    def body(self, hashes: dict[str, str]) -> dict[str, Any]:
        """Return the order as the server takes it."""
        return {
            "outputs": hashes,
            "label": self.label,
            "staging": self.staging,
            "feedstock": self.feedstock,
            "provider": self.provider,
            "extent": self.extent,
            "dry_run": self.dry_run,
        }

    def fields(self) -> dict[str, str]:
        """Return the header fields that go with it."""
        fields = reason_field(self.reason)
        if self.token:
            fields["Feedstock-Token"] = self.token
        if not self.waits:
            fields["Prefer"] = "respond-async"
        return fields


def feedstock_token(file: Path | None) -> str:
    """Read the token of a feedstock from a file, or from where CI services keep it."""
    text = file.read_text() if file is not None else os.environ.get("FEEDSTOCK_TOKEN", "")
    if not text.strip():
        raise click.UsageError(
            "There is no token of the feedstock: set FEEDSTOCK_TOKEN or --feedstock-token-file."
        )
    return text.strip()


def send(client: Client, order: Order) -> dict[str, Any]:
    """Send an order, and return the state of the copy that it became."""
    hashes = {output: sha256 or _sha256_on_staging(client, order, output) for output, sha256 in order.outputs}
    return asyncio.run(_send(client, order, hashes))


async def _send(client: Client, order: Order, hashes: dict[str, str]) -> dict[str, Any]:
    async with client.session() as session:
        where = path("channels", order.channel, "copies")
        state: dict[str, Any] = await client.send(
            session, "POST", where, json=order.body(hashes), headers=order.fields()
        )
        return state


def _sha256_on_staging(client: Client, order: Order, output: str) -> str:
    """Look up the hash of the one package that staging has under a name and the label."""
    if not order.staging:
        raise click.UsageError(
            f"Say which bytes are meant: {output}=SHA256, or name the channel with --from."
        )
    subdir, _, filename = output.partition("/")
    query = {"subdir": subdir, "filename": filename, "label": order.label}
    found = client.ask("GET", path("channels", order.staging, "files"), query=query)["files"]
    if len(found) != 1:
        several = f"{len(found)} packages" if found else "no package"
        raise Failure(
            f"The channel {order.staging!r} has {several} {output} under the label {order.label!r}.",
            f"Name the one that is meant: {output}=SHA256."
            if found
            else "Check the name, or upload it first.",
        )
    return str(found[0]["sha256"])
