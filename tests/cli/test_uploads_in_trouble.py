"""An upload survives a server that is away for a moment, and notices one that keeps other bytes."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from channeld.cli import sending
from tests.cli.conftest import Ran, run_command
from tests.support.packages import build_conda
from tests.support.server import ServerThread

A1 = "alpha-1.0-0.conda"
DATA = build_conda("alpha")


class Server(ThreadingHTTPServer):
    daemon_threads = False  # closing it waits for its answers


@dataclass
class Scripted:
    """A server that answers what it was told, one after the other, and writes down what it was sent."""

    answers: Sequence[tuple[int, dict[str, str], dict[str, Any]]]
    received: list[bytes] = field(default_factory=list)
    url: str = ""


@contextmanager
def scripted(*answers: tuple[int, dict[str, str], dict[str, Any]]) -> Iterator[Scripted]:
    script = Scripted(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            script.received.append(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, body = script.answers[len(script.received) - 1]
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: object) -> None:
            return

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


def uploaded(sha256: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    answer = {"outcome": "created", "subdir": "noarch", "labels": ["main"], "sha256": sha256}
    return 201, {"Content-Type": "application/json"}, answer


def away(seconds: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    problem = {"title": "The disk is full.", "detail": "Try again later.", "code": "disk_full"}
    return 503, {"Content-Type": "application/problem+json", "Retry-After": seconds}, problem


def upload(file: Path, url: str, *options: str) -> Ran:
    return run_command("upload", str(file), "--channel", "chan", *options, env={"CHANNELD_URL": url})


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note the pauses instead of making them."""
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(sending, "_pause", note)
    return pauses


@pytest.fixture
def file(packages: Callable[[str, bytes], Path]) -> Path:
    return packages(A1, DATA)


def test_it_is_tried_again_with_all_of_its_bytes(file: Path, short_pauses: list[float]) -> None:
    sha256 = hashlib.sha256(DATA).hexdigest()
    gateway: tuple[int, dict[str, str], dict[str, Any]] = (502, {}, {})
    with scripted(away("0"), gateway, away("7"), uploaded(sha256)) as server:
        done = upload(file, server.url)
    told = f"{A1}: The disk is full. Trying again in 7 s.\n"
    assert done == Ran(0, f"{A1}: uploaded (noarch, labels main)\n1 package stored.\n", told)
    assert server.received == [DATA] * 4
    assert short_pauses == [0.5, 1.0, 7.0]


def test_it_is_given_up_after_the_last_try(file: Path) -> None:
    with scripted(away("0"), away("0"), away("0")) as server:
        done = upload(file, server.url, "--retries", "2")
    assert (done.status, done.stdout) == (3, "")
    assert done.stderr.startswith(f"{A1}: The disk is full. Try again later.\n")
    assert len(server.received) == 3


def test_what_is_refused_is_not_tried_again(file: Path) -> None:
    problem = {"title": "No.", "detail": "", "code": "file_conflict"}
    with scripted((409, {"Content-Type": "application/problem+json"}, problem)) as server:
        done = upload(file, server.url)
    assert (done.status, len(server.received)) == (1, 1)
    assert done.stderr == f"{A1}: No.\nError: 1 of 1 file could not be uploaded.\n"


def test_a_file_that_became_shorter_is_told_and_not_sent_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, sha256 = len(DATA) + 1, hashlib.sha256(DATA + b"x").hexdigest()
    monkeypatch.setattr(sending, "_hash", lambda _file: (size, sha256))
    with scripted(uploaded(sha256)) as server:
        done = upload(file, server.url)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{A1}: {file} became shorter while it was sent.\n")


def test_other_bytes_at_the_other_end_are_noticed(file: Path) -> None:
    with scripted(uploaded("0" * 64)) as server:
        done = upload(file, server.url)
    assert (done.status, done.stdout) == (1, "")
    assert "The server stored other bytes" in done.stderr


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((301, {"Location": "https://elsewhere/"}, {}), "redirects to https://elsewhere/"),
        ((404, {"Content-Type": "text/html"}, {"a": 1}), 'answered 404: {"a": 1}'),
        ((200, {"Content-Type": "text/html"}, {}), "something that is not channeld's"),
    ],
)
def test_a_server_that_is_no_channeld_is_told_apart(
    file: Path, answer: tuple[int, dict[str, str], dict[str, Any]], told: str
) -> None:
    with scripted(answer) as server:
        done = upload(file, server.url)
    assert (done.status, len(server.received)) == (1, 1)
    assert told in done.stderr


def test_waiting_ends_when_its_time_is_over(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with ServerThread(tmp_path, indexing=False) as thread:
        thread.server.channel("chan")
        env: dict[str, str | None] = {
            "CHANNELD_TOKEN": thread.server.admin,
            "CHANNELD_URL": thread.server.url,
        }
        done = run_command("upload", str(file), "--channel", "chan", "--wait", "1", env=env)
        assert done == Ran(
            3,
            f"{A1}: uploaded (noarch, labels main)\n",
            "Error: Not everything is live after 1 seconds.\n"
            "All of it is stored and will be: `channeld status` shows what holds it up.\n",
        )
        document = run_command("upload", str(file), "--channel", "chan", "--wait", "1", "--json", env=env)
        assert document.status == 3
        assert [each["live"] for each in json.loads(document.stdout)["uploaded"]] == [False]
