"""``channeld serve`` as its operator meets it: the first start, a taken port, the signal to stop."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.support.packages import build_conda
from tests.support.process import Serve


def test_the_first_start_says_what_is_next_and_shows_the_token_once(tmp_path: Path) -> None:
    with Serve(tmp_path) as server:
        welcome = server.read_welcome()
    with Serve(tmp_path) as again:
        again.token = server.token
        status = again.ask("GET", "/api/v1/token").status
        again.stop()
        assert again.process.stdout is not None
        said = "".join(again.said) + again.process.stdout.read()

    for expected in (
        f"channeld listens on {server.url}",
        f"export CHANNELD_URL={server.url} CHANNELD_TOKEN={server.token}",
        "channeld upload --create --channel my-channel PACKAGE.conda",
        f"conda install --override-channels -c {server.url}/my-channel NAME",
        "channeld status",
    ):
        assert expected in welcome
    assert status == 200  # the token works after a restart
    assert server.token not in said
    assert "administrator's token" not in said


def test_no_token_is_ever_in_the_log(tmp_path: Path) -> None:
    with Serve(tmp_path, environ={"CHANNELD_LOG__LEVEL": "debug"}) as server:
        server.read_welcome()
        server.create_channel()
        server.upload("alpha-1.0-0.conda", build_conda("alpha", "1.0"))
        server.ask("GET", f"/t/{server.token}/chan/noarch/repodata.json")
        server.ask("GET", f"/t/{server.token}/nowhere/noarch/repodata.json")
        server.ask("PUT", f"/t/{server.token}/chan/noarch/alpha-1.0-0.conda", b"nonsense")

    assert server.token.rpartition("-")[2] not in server.log.read_text()


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "channeld", "serve"),
                *("--port", str(port), "--data-dir", str(tmp_path / "data")),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 3
    assert f"Cannot listen on 127.0.0.1, port {port}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_request_under_way_is_finished_before_it_stops(tmp_path: Path) -> None:
    """SIGTERM comes in the middle of an upload; the upload gets its 201, and the package is there afterwards."""
    package = build_conda("alpha", "1.0")
    with Serve(tmp_path) as server:
        server.read_welcome()
        server.create_channel()
        answer: list[bytes] = []
        port = int(server.url.rpartition(":")[2])

        def upload_slowly() -> None:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                head = (
                    "PUT /api/v1/channels/chan/files/alpha-1.0-0.conda HTTP/1.1\r\nHost: test\r\n"
                    f"Authorization: Bearer {server.token}\r\nContent-Length: {len(package)}\r\n\r\n"
                )
                connection.sendall(head.encode() + package[:100])
                started.set()
                time.sleep(0.7)
                connection.sendall(package[100:])
                answer.append(connection.recv(65536))

        started = threading.Event()
        client = threading.Thread(target=upload_slowly)
        client.start()
        started.wait(10)
        time.sleep(0.2)
        status = server.stop()
        client.join(20)

    assert answer[0].startswith(b"HTTP/1.1 201")
    assert status == 0
    with Serve(tmp_path) as again:
        again.token = server.token
        again.wait_for("alpha-1.0-0.conda")
