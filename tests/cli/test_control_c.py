"""Ctrl-C ends a command with a sentence, and with the status that shells give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import run_command

#: Command line → where it is stopped.
_PLACES = {
    "status --server http://localhost:1 --token-file token": "channeld.cli.client.Client.ask",
    "backup --data-dir . copy": "channeld.cli.backup.require_catalog",
    "index .": "channeld.cold.index.index_folder",
}


@pytest.mark.parametrize("command", _PLACES)
def test_a_command_that_is_stopped_says_so(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    Path("token").write_text("secret")
    Path("token").chmod(0o600)
    monkeypatch.setattr(_PLACES[command], stop)
    ended = run_command(*command.split())
    assert ended.status == 130
    assert ended.stderr.splitlines()[-1].startswith("Stopped.")
    assert "Aborted" not in ended.stdout + ended.stderr
