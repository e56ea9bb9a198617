"""Rule: whoever changes something leaves rows in the audit that say who, from where, what and why.

Every route that is no GET is taken here once with a request that changes something. A new one has to be added.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from channeld.catalog import deliveries, trail
from channeld.catalog.audit import AuditRow
from channeld.catalog.deliveries import NewDelivery
from channeld.web.app import make_app
from channeld.web.keys import Services
from channeld.web.native.route import PREFIX
from tests.support.anaconda import Client, Package
from tests.support.audits import watched
from tests.support.packages import build_conda
from tests.support.promotion import PRODUCTION, Build
from tests.support.server import Answer
from tests.support.webservices import COPY, VALIDATE, Promoting, promoting

WHY: Final = "because it has to be"
CHAN: Final = "/channels/chan"
#: Routes that change nothing that the audit tells of: they only answer as the clients of anaconda.org expect.
NO_CHANGE: Final = {
    "POST /authentications",
    *(f"{method} /package/{{owner}}/{{package}}" for method in ("POST", "PATCH")),
    *(f"{method} /release/{{owner}}/{{package}}/{{version}}" for method in ("POST", "PATCH")),
}
#: Actions that leave nothing to say about how it was and how it is.
SAY_IT_ALL: Final = {f"webhook.{verb}" for verb in ("pause", "resume", "ping", "retry")}
ALPHA, BETA, BETA_2 = Build("alpha"), Build("beta"), Build("beta", "2.0")


def ways(services: Services) -> set[str]:
    """List the routes of a server that may change something, each as method and path."""
    return {
        f"{route.method} {route.resource.canonical.removeprefix(PREFIX)}"
        for route in make_app(services).router.routes()
        if route.resource is not None and route.method not in ("GET", "HEAD", "*")
    }


@dataclass(slots=True)
class Books:
    """Takes routes, and looks at what each leaves in the audit."""

    forge: Promoting
    #: Routes that have been taken, as method and path.
    taken: set[str] = field(default_factory=set)

    @property
    def token_id(self) -> str:
        return self.forge.server.admin.split("-")[1]

    async def rows(self, after_id: int) -> list[AuditRow]:
        rows = await self.forge.server.read(lambda connection: trail.page(connection, limit=1000))
        return sorted((row for row in rows if row.id > after_id), key=lambda row: row.id)

    async def last_id(self) -> int:
        return max((row.id for row in await self.rows(0)), default=0)

    async def take(
        self, way: str, path: str, body: Any = None, *, leaves: str = "", by: str = "", **options: Any
    ) -> Answer:
        """Take a route, given as method and path, at a path; ``leaves`` are the actions of the rows."""
        self.taken.add(way)
        before = await self.last_id()
        headers = {"X-Reason": WHY, **options.pop("headers", {})}
        answer = await self.forge.server.ask(way.partition(" ")[0], path, body, headers=headers, **options)
        assert 200 <= answer.status < 300, (way, answer.body)
        await self.check(before, leaves, by, way)
        return answer

    async def check(self, before: int, leaves: str, by: str, way: str) -> None:
        rows = await self.rows(before)
        assert [row.action for row in rows] == leaves.split(), way
        for row in rows:
            assert (row.actor, row.origin, row.reason) == (by or self.token_id, "127.0.0.1", WHY), (way, row)
            assert row.before or row.after or row.action in SAY_IT_ALL, (way, row)

    async def native(
        self, way: str, body: Any = None, *, leaves: str, query: str = "", **parts: str
    ) -> Answer:
        """Take a route of the native API, with the parts of its path."""
        path = way.partition(" ")[2]
        for name, value in {"channel": "chan", **parts}.items():
            path = path.replace(f"{{{name}}}", value)
        options: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {}
        sent = None if options else body
        return await self.take(way, f"{PREFIX}{path}{query}", sent, leaves=leaves, **options)


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    async with promoting(tmp_path) as forge:
        yield Books(forge)


async def channels_and_files(books: Books) -> None:
    name = "alpha-1.0-0.conda"
    await books.native("POST /channels", {"name": "chan"}, leaves="channel.create")
    await books.native("PATCH /channels/{channel}", {"description": "x"}, leaves="channel.configure")
    await books.native("POST /channels/{channel}/labels", {"name": "dev"}, leaves="label.create")
    way = "PATCH /channels/{channel}/labels/{label}"
    await books.native(way, {"relations": {"base": "../x"}}, label="dev", leaves="label.configure")
    way = "PUT /channels/{channel}/files/{filename}"
    await books.native(way, build_conda("alpha"), filename=name, leaves="file.add")
    await books.native(
        way, build_conda("alpha"), filename=name, query="?label=rc", leaves="label.create file.label"
    )
    order = {"files": [{"filename": name}], "add": ["broken"]}
    await books.native("POST /channels/{channel}/relabel", order, leaves="label.create file.label")
    way = "DELETE /channels/{channel}/files/{subdir}/{filename}"
    await books.native(way, subdir="noarch", filename=name, leaves="file.delete")
    await books.native("DELETE /channels/{channel}/labels/{label}", label="dev", leaves="label.delete")
    notice = {"message": "Hello.", "id": "n1"}
    await books.native("POST /channels/{channel}/notices", notice, leaves="notice.add")
    await books.native("DELETE /channels/{channel}/notices/{notice}", notice="n1", leaves="notice.expire")
    await books.native("DELETE /channels/{channel}", query="?force=true", leaves="channel.delete")


async def tokens_and_webhooks(books: Books) -> None:
    new = {"name": "ci", "grants": [{"verbs": ["read"]}]}
    made = await books.native("POST /tokens", new, leaves="token.create")
    token_id = made.json["token"].split("-")[1]
    await books.native("DELETE /tokens/{token}", token=token_id, leaves="token.revoke")
    hook = (
        await books.native("POST /webhooks", {"url": "https://hooks.invalid/"}, leaves="webhook.create")
    ).json
    name = hook["webhook"]["id"]
    await books.native("POST /webhooks/{webhook}/ping", webhook=name, leaves="webhook.ping")
    await books.native("POST /webhooks/{webhook}/pause", webhook=name, leaves="webhook.pause")
    await books.native("POST /webhooks/{webhook}/resume", {}, webhook=name, leaves="webhook.resume")
    sent = [NewDelivery(audit_id=1, at_ms=0, event="ping", body=b"{}")]
    books.forge.server.database.write_now(lambda connection: deliveries.add(connection, name, sent, 0))
    await books.native("POST /webhooks/{webhook}/retry", {}, webhook=name, leaves="webhook.retry")
    await books.native("DELETE /webhooks/{webhook}", webhook=name, leaves="webhook.delete")


async def feedstocks(books: Books) -> None:
    here = {"channel": PRODUCTION, "feedstock": "gamma"}
    one = "/channels/{channel}/feedstocks/{feedstock}"
    new = {"name": "gamma", "outputs": ["gamma"], "globs": ["libgamma*"]}
    await books.native(
        "POST /channels/{channel}/feedstocks",
        new,
        channel=PRODUCTION,
        leaves="feedstock.register output.register glob.add",
    )
    await books.native(f"PATCH {one}", {"archived": True}, **here, leaves="feedstock.archive")
    await books.native(f"PATCH {one}", {"archived": False}, **here, leaves="feedstock.unarchive")
    made = await books.native(f"POST {one}/tokens", {}, **here, leaves="feedstock_token.create")
    number = str(made.json["state"]["id"])
    way = f"DELETE {one}/tokens/{{number}}"
    await books.native(way, **here, number=number, leaves="feedstock_token.revoke")
    file = {"tokens": [{"salt": "00" * 32, "hashed_token": "11" * 256, "provider": "azure"}]}
    await books.native(
        "POST /channels/{channel}/feedstock-tokens",
        {"feedstocks": {"gamma": file}},
        channel=PRODUCTION,
        leaves="feedstock_token.import",
    )
    await books.native(f"DELETE {one}/tokens", **here, leaves="feedstock_token.revoke")


async def outputs(books: Books) -> None:
    here = {"channel": PRODUCTION}
    delta = {"feedstock": "gamma", "outputs": ["delta"], "globs": ["d*"]}
    await books.native("POST /channels/{channel}/outputs", delta, **here, leaves="output.register glob.add")
    way = "DELETE /channels/{channel}/outputs/{output}"
    await books.native(way, **here, output="delta", query="?feedstock=gamma", leaves="output.remove")
    way = "DELETE /channels/{channel}/globs"
    await books.native(way, **here, query="?feedstock=gamma&glob=d*", leaves="glob.remove")
    part = {"outputs": {"epsilon": ["gamma"]}, "globs": {"gamma": ["e*"]}}
    await books.native("POST /channels/{channel}/registry", part, **here, leaves="output.register glob.add")


async def promotions(books: Books) -> None:
    forge = books.forge
    await forge.stage(ALPHA, BETA, BETA_2)
    by_hand = {"outputs": {ALPHA.key: ALPHA.sha256}}
    done = "file.add file.promote copy.done"
    await books.native("POST /channels/{channel}/copies", by_hand, channel=PRODUCTION, leaves=done)
    request = f"action: broken\nchannel: {PRODUCTION}\npackages: [{ALPHA.key}]\n".encode()
    await books.native("POST /requests", request, leaves="label.create file.label")
    for build, channel in ((BETA, ""), (BETA_2, f"/{PRODUCTION}")):
        route = "/{channel}" if channel else ""
        said: dict[str, Any] = {
            "headers": {"FEEDSTOCK_TOKEN": forge.token},
            "token": None,
            "by": "feedstock:alpha",
        }
        for way, leaves in ((VALIDATE, ""), (COPY, done)):
            await books.take(
                f"POST {route}{way}", f"{channel}{way}", forge.body(build), leaves=leaves, **said
            )
    last = (await books.rows(0))[-1]
    assert orjson.loads(last.after)["feedstock_token"] > 0  # which of its tokens it was


def dist(version: str) -> str:
    return f"/chan/alpha/{version}/noarch/alpha-{version}-0.conda"


async def uploads_of_other_dialects(books: Books, client: Client) -> None:
    package = Package(build_conda("alpha", "1"), "alpha-1-0.conda")
    route = "/{owner}/{package}/{version}/{basename}"
    staged = await client.stage(package)
    before = await books.last_id()
    assert (await client.post(staged, package)).status == 201
    assert await books.rows(before) == []
    said = {"dist_id": staged.json["dist_id"]}
    await books.take(f"POST /commit{route}", f"/commit{dist('1')}", said, leaves="file.add")
    books.taken |= {f"POST /stage{route}", "POST /upload/{upload}"}
    for version, way, path in (
        ("2", "POST /upload/{channel}", "/api/v1/upload/chan"),
        ("3", "PUT /{path}", "/chan/noarch/alpha-3-0.conda"),
    ):
        headers = {"X-File-Name": f"alpha-{version}-0.conda"}
        data = build_conda("alpha", version)
        await books.take(way, path, data=data, headers=headers, leaves="file.add")


async def labels_of_anaconda(books: Books) -> None:
    one, to = {"package": "alpha", "version": "1"}, "/channels/{owner}/{label}"
    await books.take(f"POST {to}", "/channels/chan/dev", one, leaves="label.create file.label")
    await books.take(f"POST {to}/lock", "/channels/chan/dev/lock", leaves="label.configure")
    await books.take(f"DELETE {to}/lock", "/channels/chan/dev/lock", leaves="label.configure")
    leaves = "label.create file.label"
    await books.take(f"POST {to}/copy/{{to}}", "/channels/chan/dev/copy/rc", {}, leaves=leaves)
    await books.take(f"DELETE {to}", "/channels/chan/dev", one, leaves="file.label")
    # of the three methods each takes another file, which the channel beside has not
    for number, method in enumerate(("POST", "PUT", "PATCH"), 1):
        route = "/{owner}/{package}/{version}/"
        body = {"to_owner": "beside", "from_channel": "main", "to_channel": "main"}
        path = f"/copy/package/chan/alpha/{number}/"
        await books.take(f"{method} /copy/package{route}", path, body, leaves="file.add")
        path, body = f"/copy/package{dist(str(number))}", {**body, "to_channel": "dev"}
        leaves = "label.create file.add" if number == 1 else "file.label"
        route += "{basename}"
        await books.take(
            f"{method} /copy/package{route}",
            path,
            body,
            leaves="label.create file.label" if number == 1 else "file.label",
        )


async def removals_of_anaconda(books: Books) -> None:
    route = "/{owner}/{package}/{version}/{basename}"
    await books.take(f"DELETE /dist{route}", f"/dist{dist('1')}", leaves="file.delete")
    path = "/release/chan/alpha/2"
    await books.take("DELETE /release/{owner}/{package}/{version}", path, leaves="file.delete")
    await books.take("DELETE /package/{owner}/{package}", "/package/chan/alpha", leaves="file.delete")


async def test_every_route_leaves_rows(books: Books) -> None:
    server = books.forge.server
    with watched(server.database) as unrecorded:
        await channels_and_files(books)
        await tokens_and_webhooks(books)
        await feedstocks(books)
        await outputs(books)
        await promotions(books)
        for name in ("chan", "beside"):
            server.channel(name)
        await uploads_of_other_dialects(books, Client(server))
        await labels_of_anaconda(books)
        await removals_of_anaconda(books)

    assert unrecorded == []
    assert ways(server.services) - books.taken == NO_CHANGE
