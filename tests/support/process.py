"""``channeld serve`` as a process of its own, and short ways to talk to it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Serve:
    """A server process on a free port, with all it keeps in a folder. Its log goes to a file."""

    def __init__(self, folder: Path, *options: str, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self._options = options
        self._environ = {
            name: value for name, value in os.environ.items() if not name.startswith("CHANNELD_")
        }
        self._environ |= {"CHANNELD_STORAGE__RESERVE_BYTES": "0", **(environ or {})}
        self.said: list[str] = []
        self.url = ""
        self.token = ""

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "channeld", "serve"),
                    *("--port", "0", "--data-dir", str(self.folder / "data"), *self._options),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environ,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"listens on (http://\S+)", line)
        assert found is not None, f"it said {line!r}\n{self.log.read_text()}"
        self.said = [line]
        self.url = found[1]
        return self

    def read_welcome(self) -> str:
        """Read what a first start says, and take the token from it."""
        assert self.process.stdout is not None
        while "channeld status" not in self.said[-1]:
            self.said.append(self.process.stdout.readline())
        text = "".join(self.said)
        self.token = re.search(r"cd-[a-z0-9]{12}-[a-z0-9]{32}", text)[0]  # type: ignore[index]
        return text

    def ask(self, method: str, path: str, data: bytes | None = None, **fields: str) -> Answer:
        """Send a request, as the administrator."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers | fields)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def create_channel(self, name: str = "chan") -> None:
        body = json.dumps({"name": name, "subdirs": ["noarch"]}).encode()
        answer = self.ask("POST", "/api/v1/channels", body, **{"Content-Type": "application/json"})
        assert answer.status == 201, answer

    def upload(self, filename: str, data: bytes, channel: str = "chan") -> int:
        return self.ask("PUT", f"/api/v1/channels/{channel}/files/{filename}", data).status

    def shown(self, channel: str = "chan") -> set[str]:
        document = self.ask("GET", f"/{channel}/noarch/repodata.json").json
        return {*document["packages"], *document["packages.conda"]}

    def wait_for(self, filename: str, channel: str = "chan") -> None:
        """Wait until the served index lists a file."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while filename not in self.shown(channel):
            assert time.monotonic() < deadline, f"{filename} did not appear\n{self.log.read_text()}"
            time.sleep(0.02)

    def stop(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.process.kill()
        self.process.wait(_PATIENCE_SECONDS)
        self._close()

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        self._close()
