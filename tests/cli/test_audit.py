"""``channeld audit``: listed by filters, followed line by line, and verified without a server."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from channeld.catalog import sealing
from channeld.catalog import tables as t
from channeld.catalog.database import Database, open_database
from channeld.cli import auditlines
from channeld.cli.client import Client
from channeld.cli.failures import NotNow
from tests.cli.conftest import Ran, Run, run_command
from tests.support.audits import sealed
from tests.support.databases import sqlite_template
from tests.support.packages import build_conda
from tests.support.server import ServerThread

__all__ = ["sqlite_template"]


def actions(shown: Ran) -> list[str]:
    return [line.split()[3] for line in shown.stdout.splitlines()[1:]]


def test_filters_leave_what_fits(server: ServerThread, run: Run) -> None:
    server.upload("alpha-1.0-0.conda", build_conda("alpha"))
    run("broken", "mark", "chan", "alpha", "--reason", "Does not start")

    assert actions(run("audit", "--reason", "not START")) == ["file.label", "label.create"]
    assert actions(run("audit", "list", "--action", "file.*", "--channel", "chan")) == [
        "file.label",
        "file.add",
    ]
    assert actions(run("audit", "--subject", "noarch/alpha-*", "--since", "1h")) == ["file.label", "file.add"]
    assert actions(run("audit", "--until", "1h")) == []
    assert actions(run("audit", "--actor", "nobody")) == []
    assert len(actions(run("audit", "--since", "2020-01-01"))) == 5


@pytest.mark.parametrize("text", ["yesterday", "5", "0h", "2024-13-01", ""])
def test_what_is_no_time_is_a_wrong_command_line(text: str) -> None:
    assert run_command("audit", "--since", text).status == 2


def test_a_command_that_is_not_there_is_a_wrong_command_line() -> None:
    assert run_command("audit", "verfy").status == 2


def test_the_help_shows_the_options_of_the_list_and_the_commands() -> None:
    shown = run_command("audit", "--help").stdout
    for text in ("--channel", "--follow", "--since", "  verify ", "  head ", "Examples:"):
        assert text in shown


def test_all_of_a_change_is_shown_if_so_wished(server: ServerThread, run: Run) -> None:
    server.upload("alpha-1.0-0.conda", build_conda("alpha"))
    run("broken", "mark", "chan", "alpha", "--reason", "Does not start")
    lines = run("audit", "--long", "--limit", "1").stdout.splitlines()
    actor = server.server.admin.split("-")[1]
    assert [line for line in lines if not line.startswith(("id:", "at:"))] == [
        "action:  file.label",
        "channel: chan",
        "subject: noarch/alpha-1.0-0.conda",
        'before:  ["main"]',
        'after:   ["broken", "main"]',
        f"actor:   {actor}",
        "origin:  127.0.0.1",
        "reason:  Does not start",
        "",
    ]


@pytest.mark.parametrize("as_json", [True, False])
def test_following_shows_the_last_ones_and_each_new_one(
    server: ServerThread, run: Run, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    looks: list[bool] = []

    def pause(_seconds: float) -> None:
        """Have something happen after the first look, and the user have enough when it was told."""
        if not looks:
            server.upload("alpha-1.0-0.conda", build_conda("alpha"))
        looks.append(server.server.database.read_now(sealing.sealed_until) == 3)
        if looks.count(True) > 2:
            raise KeyboardInterrupt
        time.sleep(0.02)

    monkeypatch.setattr(auditlines, "_PAUSE", pause)
    wait_until_sealed(server.server.database, 2)
    options = ["--json"] if as_json else []
    followed = run("audit", "--follow", "--limit", "1", *options)

    assert followed.status == 0
    lines = followed.stdout.splitlines()
    if as_json:
        entries = [json.loads(line) for line in lines]
        assert [(entry["id"], entry["action"]) for entry in entries] == [
            (2, "channel.create"),
            (3, "file.add"),
        ]
        assert entries[1]["after"]["labels"] == ["main"]
    else:
        assert [line.split()[2] for line in lines] == ["channel.create", "file.add"]


def wait_until_sealed(database: Database, last_id: int) -> None:
    for _ in range(1000):
        if database.read_now(sealing.sealed_until) >= last_id:
            return
        time.sleep(0.02)
    raise AssertionError(last_id)


def test_following_survives_a_server_that_is_away(
    server: ServerThread, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, calls = Client.ask, []

    def sometimes(client: Client, method: str, path: str, **options: object) -> object:
        calls.append(path)
        if len(calls) in (3, 4):
            raise NotNow("It is away.")
        if len(calls) > 6:
            raise KeyboardInterrupt
        return ask(client, method, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Client, "ask", sometimes)
    monkeypatch.setattr(auditlines, "_PAUSE", lambda _seconds: None)
    wait_until_sealed(server.server.database, 2)
    followed = run("audit", "--follow")
    assert (followed.status, followed.stderr) == (0, "It is away. Trying again.\n")
    assert len(followed.stdout.splitlines()) == 2


def test_back_and_forth_at_once_is_a_wrong_command_line(run: Run) -> None:
    assert run("audit", "--follow", "--before", "3").status == 2


def test_the_head_is_shown(server: ServerThread, run: Run) -> None:
    wait_until_sealed(server.server.database, 2)
    shown = json.loads(run("audit", "head", "--json").stdout)
    assert run("audit", "head").stdout.splitlines() == [
        f"head:    {shown['head']}",
        f"sealed:  {shown['sealed']}",
        "waiting: 0",
    ]


class TestVerifying:
    """Without a server: a restored backup, or the catalog beside one."""

    @pytest.fixture
    def env(self, tmp_path: Path, sqlite_template: Path) -> dict[str, str | None]:
        (tmp_path / "data").mkdir()
        (tmp_path / "data/catalog.sqlite").write_bytes(sqlite_template.read_bytes())
        return {"CHANNELD_STORAGE__DATA_DIR": str(tmp_path / "data")}

    @pytest.fixture
    def head(self, env: dict[str, str | None]) -> str:
        database = self.opened(env)
        try:
            return str(sealed(database, [1, 2, 3], [4, 5]))
        finally:
            database.close()

    def opened(self, env: dict[str, str | None]) -> Database:
        return open_database(f"sqlite:///{env['CHANNELD_STORAGE__DATA_DIR']}/catalog.sqlite")

    def tamper(self, env: dict[str, str | None]) -> None:
        database = self.opened(env)
        change = t.audit.update().where(t.audit.c.id == 4).values(reason="x")
        cut = t.audit.delete().where(t.audit.c.id == 2)
        database.write_now(lambda c: (c.execute(change), c.execute(cut), None)[-1])
        database.close()

    def test_an_audit_that_is_as_it_was(self, env: dict[str, str | None], head: str) -> None:
        verified = run_command("audit", "verify", "--head", head, env=env)
        said = f"5 rows in 2 seals: all as they were sealed. The head is {head}.\n"
        assert verified == Ran(0, said, "")
        without = run_command("audit", "verify", env=env)
        assert without.status == 0
        assert without.stdout.startswith(said)
        assert "only a head tells that was noted earlier" in without.stdout

    def test_each_finding_is_a_line(self, env: dict[str, str | None], head: str) -> None:
        self.tamper(env)
        verified = run_command("audit", "verify", "--head", f"9:{'ab' * 32}", env=env)
        assert verified == Ran(
            4,
            "Row 2 is missing: it was sealed, and deleted later.\n"
            "Row 4 was altered after it was sealed.\n"
            "The chain ends before the rows 6 to 9, which the noted head covers: its end was cut off.\n"
            "3 findings. 3 rows in 2 seals are as they were sealed.\n",
            "",
        )

    def test_programs_get_json(self, env: dict[str, str | None], head: str) -> None:
        self.tamper(env)
        verified = run_command("audit", "verify", "--json", env=env)
        told = json.loads(verified.stdout)
        assert verified.status == 4
        assert [(each["rule"], each["first_id"]) for each in told.pop("found")] == [
            ("row_missing", 2),
            ("row_altered", 4),
        ]
        assert told == {
            "sound": False,
            "head": head,
            "noted": False,
            "rows": 3,
            "seals": 2,
            "waiting": 0,
            "findings": 2,
        }

    def test_what_is_not_there_or_not_ready_is_told_and_not_made(self, tmp_path: Path) -> None:
        env: dict[str, str | None] = {"CHANNELD_STORAGE__DATA_DIR": str(tmp_path / "none")}
        missing = run_command("audit", "verify", env=env)
        assert (missing.status, missing.stdout) == (1, "")
        assert "There is no catalog in" in missing.stderr
        assert not (tmp_path / "none").exists()
        (tmp_path / "none").mkdir()
        (tmp_path / "none/catalog.sqlite").touch()
        assert run_command("audit", "verify", env=env).status == 1

    def test_a_head_that_is_none_is_told(self, env: dict[str, str | None], head: str) -> None:
        refused = run_command("audit", "verify", "--head", head[:-1], env=env)
        assert (refused.status, refused.stdout) == (1, "")
        assert "is no head of an audit" in refused.stderr
