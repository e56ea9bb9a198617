"""kill -9 at random moments while sets are promoted: what was answered is there, and of no set there is a part.

What was written down and not answered comes to its end after the next start.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.process import Serve
from tests.support.promotion import PRODUCTION, STAGING, Build

ROUNDS = 3
COPIES = f"/api/v1/channels/{PRODUCTION}/copies"
#: Between one start and its first look for copies that were broken off, and the work on some.
_PATIENCE_SECONDS = 20.0


@dataclass
class Client:
    """Uploads sets of two packages and has them promoted, until the server is gone."""

    seed: int
    asked: list[tuple[Build, Build]] = field(default_factory=list)
    answered: list[tuple[Build, Build]] = field(default_factory=list)
    refused: list[tuple[int, bytes]] = field(default_factory=list)

    def run(self, port: int, token: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            while True:
                number = f"{len(self.asked)}.0"
                pair = Build(f"p{self.seed}-one", number), Build(f"p{self.seed}-two", number)
                self.asked.append(pair)
                for build in pair:
                    path = f"/api/v1/channels/{STAGING}/files/{build.filename}"
                    self._ask(connection, "PUT", path, build.data, headers)
                body = json.dumps({"outputs": {build.key: build.sha256 for build in pair}}).encode()
                if self._ask(connection, "POST", COPIES, body, headers):
                    self.answered.append(pair)
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, data: bytes, headers: Any
    ) -> bool:
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status not in (200, 201):
            self.refused.append((answer.status, said))
        return answer.status == 201


def test_kill_at_any_moment(tmp_path: Path) -> None:
    chance = random.Random(17)
    server = Serve(tmp_path)
    clients = [Client(seed) for seed in range(2)]
    server.start()
    server.read_welcome()
    server.create_channel(PRODUCTION)
    staging = {"name": STAGING, "subdirs": ["noarch"], "kind": "staging", "promotes_to": PRODUCTION}
    json_type = {"Content-Type": "application/json"}
    made = server.ask("POST", "/api/v1/channels", json.dumps(staging).encode(), **json_type)
    assert made.status == 201
    for _ in range(ROUNDS):
        port = int(server.url.rpartition(":")[2])
        threads = [threading.Thread(target=client.run, args=(port, server.token)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.4, 1.2))
        server.kill()
        for thread in threads:
            thread.join(30)
        server.start()
    try:
        compare(server, clients)
    finally:
        server.__exit__(None, None, None)


def compare(server: Serve, clients: list[Client]) -> None:
    """Look at what there is once nothing is under way any more."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(copy["finished"] is None for copy in copies_of(server)):
        assert time.monotonic() < deadline, "a copy does not come to its end"
        time.sleep(0.05)
    assert [client.refused for client in clients] == [[], []]
    assert sum(len(client.answered) for client in clients) >= ROUNDS
    assert {copy["state"] for copy in copies_of(server)} == {"done"}
    for client in clients:
        for pair in client.asked:
            there = [downloaded(server, build, PRODUCTION) for build in pair]
            assert there in ([200, 200], [404, 404])
            if pair in client.answered:
                assert there == [200, 200]
            if there == [200, 200]:
                assert [downloaded(server, build, STAGING) for build in pair] == [404, 404]


def copies_of(server: Serve) -> list[Any]:
    found: list[Any] = server.ask("GET", f"{COPIES}?limit=1000").json["copies"]
    return found


def downloaded(server: Serve, build: Build, channel: str) -> int:
    answer = server.ask("GET", f"/{channel}/{build.key}")
    assert answer.status == 404 or answer.body == build.data
    return answer.status
