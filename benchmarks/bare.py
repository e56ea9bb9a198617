"""The peer of ``benchmarks.serve``: aiohttp with one handler that answers with bytes from memory, or with a file.

    python -m benchmarks.bare PORT FOLDER

``/name`` is the file's bytes out of a dict, and 304 where the client has them; ``/file/name`` is aiohttp's own
``FileResponse``. There is no middleware, no access log and no other header field than ours have.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from aiohttp import web


def main() -> None:
    """Serve until told to stop."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    there = {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}
    etags = {path: f'"{hashlib.sha256(data).hexdigest()[:32]}"' for path, data in there.items()}

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.path
        etag = etags[path]
        headers = {"ETag": etag, "Cache-Control": "public, max-age=60", "Content-Type": "application/zstd"}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=there[path], headers=headers)

    async def file(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(folder / request.match_info["name"])

    app = web.Application()
    app.router.add_get("/file/{name}", file)
    app.router.add_get("/{name}", answer)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()
