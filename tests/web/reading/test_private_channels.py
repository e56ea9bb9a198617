"""A private channel is read with a token: in a header, as Basic's password, or in the path, where all links stay."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from channeld.catalog import labels
from channeld.catalog.audit import Actor
from tests.support.documents import paths
from tests.support.edge import ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant, running_server

ALPHA, BETA = build_conda("alpha"), build_conda("beta")
FILE = "/secret/noarch/alpha-1.0-0.conda"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """alpha under main, beta under dev only."""
    async with running_server(tmp_path) as running:
        running.channel("secret", private=True)
        running.channel("open")
        assert (await running.ask("PUT", FILE, data=ALPHA)).status == 201
        path = "/secret/label/dev/noarch/beta-1.0-0.conda"
        assert (await running.ask("PUT", path, data=BETA)).status == 201
        await running.settled("secret")
        yield running


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_every_way_to_show_a_token(server: RunningServer) -> None:
    token = server.token(grant("read", channels="secret"))
    for path in (*paths("/secret"), FILE):
        for fields in (
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"token {token}"},
            {"Authorization": basic("anyone", token)},
            {"Authorization": basic(token, "")},
            {"X-API-Key": token},
        ):
            assert (await ask(server.port, "GET", path, fields)).status == 200
        below = await ask(server.port, "GET", f"/t/{token}{path}")
        assert below.status == 200
        assert below.fields["Cache-Control"].startswith("private, max-age=")


async def test_without_one_it_is_401_and_no_answer_may_be_kept(server: RunningServer) -> None:
    for path in (*paths("/secret"), FILE, "/secret/noarch/no-1.0-0.conda", "/secret", "/secret/noarch"):
        answer = await ask(server.port, "GET", path)
        assert answer.status == 401
        assert answer.fields["WWW-Authenticate"] == (
            'Bearer realm="channeld", Basic realm="channeld", charset="UTF-8"'
        )
        assert answer.fields["Cache-Control"] == "no-store"
        assert b"Reading the private channel 'secret' needs a token." in answer.body


@pytest.mark.parametrize(
    "token",
    ["cd-aaaaaaaaaaaa-" + "a" * 32, "nonsense", "cd--", "x" * 255],
    ids=["unknown", "words", "dashes", "long"],
)
async def test_a_wrong_one_is_401_and_is_not_repeated(server: RunningServer, token: str) -> None:
    for path, fields in (
        (FILE, {"Authorization": f"Bearer {token}"}),
        (FILE, {"Authorization": basic("x", token)}),
        (f"/t/{token}{FILE}", {}),
    ):
        answer = await ask(server.port, "GET", path, fields)
        assert answer.status == 401
        assert b"The token is not valid" in answer.body
        assert token.encode() not in answer.body


async def test_one_for_something_else_is_403_in_words(server: RunningServer) -> None:
    for given, words in (
        (grant("read", channels="open"), "This needs a token with the right 'read' on the channel 'secret'."),
        (
            grant("upload", channels="secret"),
            "This needs a token with the right 'read' on the channel 'secret'.",
        ),
        (
            grant("read", channels="secret", labels="dev"),
            "The token's right 'read' on the channel 'secret' does not extend to the label 'main'.",
        ),
    ):
        answer = await ask(
            server.port,
            "GET",
            "/secret/noarch/repodata.json",
            {"Authorization": f"Bearer {server.token(given)}"},
        )
        assert answer.status == 403
        assert words in answer.body.decode()
        assert answer.fields["Cache-Control"] == "no-store"


async def test_a_token_for_one_label_reaches_no_file_of_another(server: RunningServer) -> None:
    """A file is downloaded below every label; the label in the URL is no way around."""
    token = server.token(grant("read", channels="secret", labels="dev"))
    statuses = {
        path: (await ask(server.port, "GET", f"/t/{token}/secret/label/dev/noarch/{path}")).status
        for path in ("repodata.json", "beta-1.0-0.conda", "alpha-1.0-0.conda")
    }
    assert statuses == {"repodata.json": 200, "beta-1.0-0.conda": 200, "alpha-1.0-0.conda": 404}


async def test_what_is_not_there_is_404_for_its_reader_alone(server: RunningServer) -> None:
    token = server.token(grant("read", channels="secret"))
    for path in ("noarch/no-1.0-0.conda", "label/none/noarch/repodata.json", "linux-aarch64/repodata.json"):
        answer = await ask(server.port, "GET", f"/t/{token}/secret/{path}")
        assert (answer.status, answer.fields["Cache-Control"]) == (404, "private, max-age=10")
        assert token.encode() not in answer.body


async def test_links_stay_below_the_token(server: RunningServer) -> None:
    await server.database.write(
        lambda c: labels.create(c, "secret", "release/1.0", Actor("tester", "local", 1_800_000_000_000, ""))
    )
    token = server.token(grant("read", channels="secret"))
    top = f"/t/{token}/secret/"
    seen, waiting = set(), [top]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        answer = await ask(server.port, "GET", page)
        assert answer.status == 200, page
        if answer.fields["Content-Type"].startswith("text/html"):
            links = re.findall(r'(?:href|src)="([^"#]+)', answer.body.decode())
            waiting += [urljoin(page, link) for link in links if not re.match(r"[a-z]+:", link)]
            assert token not in answer.body.decode()

    assert len(seen) > 20
    assert all(page.startswith((top, f"/t/{token}/")) or page == "/" for page in seen)


async def test_a_folder_without_its_slash_leads_to_the_page_below_the_token(server: RunningServer) -> None:
    token = server.token(grant("read", channels="secret"))
    for path in (f"/t/{token}/secret", f"/t/{token}/secret/noarch", f"/t/{token}/secret/label/dev"):
        answer = await ask(server.port, "GET", path)
        assert answer.status == 308
        assert urljoin(path, answer.fields["Location"]) == f"{path}/"
        assert (await ask(server.port, "GET", f"{path}/")).status == 200


async def test_a_public_channel_is_read_with_any_token(server: RunningServer) -> None:
    """An old token in somebody's configuration harms nobody."""
    for fields in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic ???"}):
        assert (await ask(server.port, "GET", "/open/noarch/repodata.json", fields)).status == 200
    assert (await ask(server.port, "GET", "/t/nonsense-1/open/noarch/repodata.json")).status == 200


async def test_a_revoked_token_ends_at_once(server: RunningServer) -> None:
    from channeld.catalog import tokens

    token = server.token(grant("read", channels="secret"))
    assert (await ask(server.port, "GET", f"/t/{token}{FILE}")).status == 200

    actor = Actor("tester", "local", 1_800_000_000_000, "")
    await server.database.write(lambda c: tokens.revoke(c, token.split("-")[1], actor))

    assert (await ask(server.port, "GET", f"/t/{token}{FILE}")).status == 401


async def test_a_channel_that_becomes_private_is_closed_at_once(server: RunningServer) -> None:
    from channeld.catalog import channels

    path = "/open/noarch/repodata.json"
    assert (await ask(server.port, "GET", path)).status == 200

    actor = Actor("tester", "local", 1_800_000_000_000, "")
    await server.database.write(lambda c: channels.configure(c, "open", {"private": True}, actor))

    assert (await ask(server.port, "GET", path)).status == 401
    assert b"open" not in (await ask(server.port, "GET", "/")).body
