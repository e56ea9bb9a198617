"""A promotion tells what was published, and what was refused with the text that a bot would comment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.promotion import PRODUCTION, STAGING, Build
from tests.support.receivers import receiving
from tests.support.server import running_server, settings_in
from tests.support.webhooks import LOCAL
from tests.support.webservices import Promoting

ALPHA, STRANGER = Build("alpha"), Build("stranger")


async def test_what_was_published_and_what_was_refused(tmp_path: Path) -> None:
    settings = replace(settings_in(tmp_path), webhooks=LOCAL)
    async with running_server(tmp_path, settings=settings) as server, receiving() as receiver:
        server.channel(PRODUCTION)
        server.channel(STAGING, kind="staging", promotes_to=PRODUCTION)
        forge = Promoting(server)
        forge.register("alpha", "alpha", token=True)
        made = await server.ask("POST", "/api/v1/webhooks", {"url": receiver.url, "channels": "*"})
        assert made.status == 201
        await forge.stage(ALPHA, STRANGER)
        answer = await forge.copy(ALPHA, STRANGER, git_sha="a" * 40, comment_on_error=True)
        assert answer.status == 400
        messages = await receiver.got(2)

    told = {message.body["type"]: message.body for message in messages}
    assert set(told) == {"published", "refused"}  # nothing of what happened in the staging channel
    assert {body["channel"] for body in told.values()} == {PRODUCTION}
    published, refused = told["published"]["data"], told["refused"]["data"]
    assert (published["filename"], published["sha256"]) == (ALPHA.filename, ALPHA.sha256)
    assert (published["labels"], published["how"]) == (["main"], "new")
    reason = f"output {STRANGER.key} not allowed for {PRODUCTION}/alpha-feedstock"
    assert (refused["outputs"], refused["errors"]) == ({STRANGER.key: reason}, [reason])
    assert (refused["feedstock"], refused["label"], refused["failed"]) == ("alpha", "main", False)
    assert refused["copy"] == told["refused"]["subject"]
    assert f"/copies/{refused['copy']}" in answer.headers["Location"]
    assert reason in refused["comment"]
