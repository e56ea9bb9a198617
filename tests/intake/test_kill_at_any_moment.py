"""kill -9 at random moments while packages come in: what was acknowledged is there, served and indexed.

What was not acknowledged is not there or whole; nothing half-written is left after the next start.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.packages import build_conda
from tests.support.process import Serve
from tests.support.stored import blobs_in, unfinished_in

#: Kills, by the number of workers.
ROUNDS = {1: 5, 2: 2}


@dataclass
class Client:
    """Uploads one package after the other until the server is gone."""

    seed: int
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)

    def run(self, port: int, token: str) -> None:
        noise = random.Random(f"{self.seed} {len(self.sent)}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            while True:
                number = len(self.sent)
                filename = f"p{self.seed}-{number}.0-0.conda"
                # every second one is longer than what is collected before a file is made
                size = 100 if number % 2 else 1_500_000
                data = build_conda(
                    f"p{self.seed}", f"{number}.0", files={"share/noise": noise.randbytes(size)}
                )
                self.sent[filename] = data
                headers = {"Authorization": f"Bearer {token}"}
                connection.request("PUT", f"/chan/noarch/{filename}", data, headers)
                status = connection.getresponse()
                status.read()
                if status.status == 201:
                    self.acknowledged[filename] = data
                else:
                    self.refused.append(status.status)
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()


@contextmanager
def closing_server(server: Serve) -> Iterator[None]:
    """Stop a server that runs already."""
    try:
        yield
        assert server.stop() == 0
    finally:
        server.__exit__(None, None, None)


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_at_any_moment(tmp_path: Path, workers: int) -> None:
    chance = random.Random(workers)
    options = () if workers == 1 else ("--workers", str(workers))
    server = Serve(tmp_path, *options)
    clients = [Client(seed) for seed in range(2)]
    server.start()
    server.read_welcome()
    server.create_channel()
    for _ in range(ROUNDS[workers]):
        port = int(server.url.rpartition(":")[2])
        threads = [threading.Thread(target=client.run, args=(port, server.token)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, 0.7))
        server.kill()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "a client still gets answers"

        server.start()
        assert unfinished_in(tmp_path / "data") == set()
        assert list((tmp_path / "data" / "packs").glob("*.tmp")) == []

    with closing_server(server):
        acknowledged = {name: data for client in clients for name, data in client.acknowledged.items()}
        sent = {name: data for client in clients for name, data in client.sent.items()}
        assert len(acknowledged) > ROUNDS[workers]
        assert [client.refused for client in clients] == [[], []]
        for filename, data in acknowledged.items():
            answer = server.ask("GET", f"/chan/noarch/{filename}")
            assert (answer.status, answer.body) == (200, data)
        for filename in acknowledged:
            server.wait_for(filename)
        for filename in server.shown():
            answer = server.ask("GET", f"/chan/noarch/{filename}")
            assert (answer.status, answer.body) == (200, sent[filename])
        known = {hashlib.sha256(data).hexdigest() for data in sent.values()}
        assert blobs_in(tmp_path / "data") <= known
        for path in (tmp_path / "data" / "blobs").glob("??/*"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
