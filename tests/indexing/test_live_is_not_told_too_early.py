"""Rule: an answer says live only when the change is published, also where the catalog is looked at now and then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from channeld.catalog import channels, liveness
from tests.support.packages import build_conda
from tests.support.server import running_server, settings_in


def _is_live(connection: Connection) -> bool:
    channel = channels.get(connection, "chan")
    return liveness.live(connection, channel.id, channel.revision)


async def test_uploads_one_after_the_other_are_live_when_it_is_said(
    tmp_path: Path, database_url: str
) -> None:
    settings = settings_in(tmp_path)
    settings = replace(settings, storage=replace(settings.storage, database_url=database_url))
    async with running_server(tmp_path, settings=settings) as server:
        server.channel()
        for number in range(12):
            name = f"package{number}"
            sent = await server.upload(
                f"{name}-1.0-0.conda", build_conda(name), headers={"Prefer": "wait=10"}
            )
            assert sent.json["live"] is True
            assert await server.read(_is_live), name
