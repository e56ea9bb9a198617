"""anaconda.org's API as its clients speak it, step by step."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import hdrs

from tests.support.server import Answer, RunningServer


@dataclass(frozen=True, slots=True)
class Package:
    """A package on its way."""

    data: bytes = field(repr=False)
    filename: str = "alpha-1.0-0.conda"
    subdir: str = "noarch"
    owner: str = "chan"

    @property
    def path(self) -> str:
        """How the API addresses it, with the slash as it is."""
        name, version, _ = self.filename.rsplit("-", 2)
        return f"{self.owner}/{name}/{version}/{self.subdir}/{self.filename}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def md5(self) -> str:
        return base64.b64encode(hashlib.md5(self.data).digest()).decode()


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks the API to a server: as the administrator, with another token, or with None."""

    server: RunningServer
    token: str | None = ""

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request."""
        headers = {} if self.token is None else {"Authorization": f"token {self.token or self.server.admin}"}
        return await self.server.ask(method, path, body, token=None, headers=headers)

    async def stage(self, package: Package, *labels: str, **said: Any) -> Answer:
        """Announce a package as rattler-build does."""
        body = {
            "distribution_type": "conda",
            "description": None,
            "attrs": {"name": "whatever"},
            "channels": list(labels),
            "sha256": package.sha256,
            **said,
        }
        return await self.ask("POST", f"/stage/{package.path}", body)

    async def post(self, staged: Answer, package: Package, **fields: str | None) -> Answer:
        """Send the bytes of a staged package; a field that is None is left out of the form."""
        form = aiohttp.FormData()
        said = {"Content-Length": str(len(package.data)), "Content-MD5": package.md5}
        for name, value in {**staged.json["form_data"], **said, **fields}.items():
            if value is not None:
                form.add_field(name, value)
        form.add_field("file", package.data, filename=f"{package.subdir}/{package.filename}")
        return await self.send(staged.json["post_url"], form)

    async def send(self, url: str, data: Any, headers: dict[str, str] | None = None) -> Answer:
        """Send a body to where the bytes go: without a token, as the clients do."""
        async with self.server.session.post(url, data=data, headers=headers) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def commit(self, staged: Answer, package: Package) -> Answer:
        """Finish the upload."""
        return await self.ask("POST", f"/commit/{package.path}", {"dist_id": staged.json["dist_id"]})

    async def upload(self, package: Package, *labels: str) -> list[int]:
        """Do all three steps and return their statuses, up to the first that failed."""
        staged = await self.stage(package, *labels)
        if staged.status != 200:
            return [staged.status]
        posted = await self.post(staged, package)
        if posted.status != 201:
            return [200, posted.status]
        return [200, 201, (await self.commit(staged, package)).status]

    async def dist(self, package: Package) -> Answer:
        """Look a file up."""
        return await self.ask("GET", f"/dist/{package.path}")

    async def labels(self, package: Package) -> list[str]:
        """List the labels of a file."""
        found: list[str] = (await self.dist(package)).json["labels"]
        return found


def is_kept_by_nobody(answer: Answer) -> bool:
    """Tell whether an answer is about its moment only."""
    return answer.headers.get(hdrs.CACHE_CONTROL) == "no-store"
