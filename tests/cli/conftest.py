"""A running server, and a way to run commands against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from channeld.cli import main
from tests.support.server import ServerThread


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command printed, and its exit status."""

    status: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


def run_command(*arguments: str, env: dict[str, str | None] | None = None, stdin: str | None = None) -> Ran:
    """Run a command with no variable of this process that would be about a server."""
    clean = dict.fromkeys(("CHANNELD_URL", "CHANNELD_TOKEN", "CHANNELD_TOKEN_FILE", "CHANNELD_CONFIG"))
    result = CliRunner().invoke(main, arguments, input=stdin, env={**clean, **(env or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerThread]:
    """A server with the channel ``chan``."""
    with ServerThread(tmp_path) as thread:
        thread.server.channel("chan")
        yield thread


@pytest.fixture
def run(server: ServerThread) -> Run:
    """Run commands as the administrator of the server."""
    known: dict[str, str | None] = {
        "CHANNELD_URL": server.server.url,
        "CHANNELD_TOKEN": server.server.admin,
    }

    def run_there(*arguments: str, env: dict[str, str | None] | None = None, stdin: str | None = None) -> Ran:
        return run_command(*arguments, env={**known, **(env or {})}, stdin=stdin)

    return run_there


@pytest.fixture
def packages(tmp_path: Path) -> Callable[..., Path]:
    """Write packages into a folder."""

    def write(filename: str, data: bytes) -> Path:
        path = tmp_path / "packages" / filename
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return write
