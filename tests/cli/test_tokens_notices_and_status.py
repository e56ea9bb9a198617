"""Tokens, notices, the audit and the status are at hand on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channeld import __version__
from channeld.catalog import tables as t
from channeld.cli.arguments import Duration
from tests.cli.conftest import Run, run_command
from tests.support.packages import build_conda
from tests.support.server import ServerThread


def test_a_token_is_printed_once_and_works(server: ServerThread, run: Run) -> None:
    made = run("token", "create", "ci", "--right", "upload", "--right", "label", "--channel", "chan")
    assert made.status == 0
    token = made.stdout.strip()
    assert made.stdout == f"{token}\n"  # so that it can be taken into a variable
    shown = run("token", "show", env={"CHANNELD_TOKEN": token}).stdout.splitlines()
    assert [line for line in shown if not line.startswith("created:")] == [
        f"id:      {token.split('-')[1]}",
        "name:    ci",
        "state:   valid",
        "expires: never",
        "may:     label upload, channels chan",
    ]
    assert token not in run("token", "list").stdout


def test_a_token_may_have_several_grants_and_an_end(run: Run) -> None:
    made = run(
        "token", "create", "ci", "--right", "read", "--expires-in", "1h",
        "--grant", '{"verbs": ["upload"], "packages": "alpha*"}', "--json",
    )  # fmt: skip
    state = json.loads(made.stdout)["state"]
    assert state["expires"] is not None
    every = {"channels": "*", "labels": "*", "packages": "*"}
    assert state["grants"] == [
        {"verbs": ["read"], **every},
        {"verbs": ["upload"], **every, "packages": "alpha*"},
    ]
    _, *listed = run("token", "list").stdout.splitlines()
    assert [state["expires"] in line for line in listed if " ci " in line] == [True]
    assert [" never " in line for line in listed if " ci " not in line] == [True]


def test_a_token_without_rights_is_a_wrong_command_line(server: ServerThread, run: Run) -> None:
    assert run("token", "create", "ci").status == 2
    assert run("token", "create", "ci", "--grant", "{").status == 2
    assert run("token", "create", "ci", "--right", "fly").status == 2
    assert len(server.ask("GET", "/api/v1/tokens").json["tokens"]) == 1


def test_a_revoked_token_works_no_more(run: Run) -> None:
    token = run("token", "create", "ci", "--right", "read").stdout.strip()
    token_id = token.split("-")[1]
    assert "state:   revoked" in run("token", "revoke", token_id).stdout
    assert run("token", "show", env={"CHANNELD_TOKEN": token}).status == 1
    assert "revoked" in run("token", "list").stdout
    assert run("token", "show", "none").status == 1


def test_a_notice_is_put_up_and_taken_down(server: ServerThread, run: Run) -> None:
    added = run("notice", "add", "chan", "Down on Sunday.", "--level", "warning", "--id", "n1", "--for", "2d")
    assert added.stdout.startswith("The notice n1 hangs until ")
    (notice,) = server.ask("GET", "/chan/notices.json").json["notices"]
    assert (notice["id"], notice["level"], notice["message"]) == ("n1", "warning", "Down on Sunday.")
    assert "Down on Sunday." in run("notice", "list", "chan").stdout
    assert run("notice", "expire", "chan", "n1").status == 0
    assert server.ask("GET", "/chan/notices.json").json == {"notices": []}
    assert "Down on Sunday." not in run("notice", "list", "chan").stdout
    assert "expired" in run("notice", "list", "chan", "--expired").stdout


def test_the_audit_tells_newest_first_and_how_to_go_on(server: ServerThread, run: Run) -> None:
    for number in range(3):
        server.upload(f"alpha-{number}-0.conda", build_conda("alpha", str(number)))
    shown = run("audit", "--channel", "chan", "--limit", "2")
    assert [line.split()[3:6] for line in shown.stdout.splitlines()[1:]] == [
        ["file.add", "chan", "noarch/alpha-2-0.conda"],
        ["file.add", "chan", "noarch/alpha-1-0.conda"],
    ]
    before = shown.stderr.removeprefix("Older ones: --before ").strip()
    older = run("audit", "--channel", "chan", "--before", before)
    assert [line.split()[3] for line in older.stdout.splitlines()[1:]] == ["file.add", "channel.create"]
    assert older.stderr == ""


def test_the_status_is_told_in_words(server: ServerThread, run: Run) -> None:
    server.upload("alpha-1.0-0.conda", build_conda("alpha"))
    assert server.shown() == ["alpha-1.0-0.conda"]
    shown = run("status").stdout.splitlines()
    assert shown[0].startswith(f"server:  {server.server.url}, channeld {__version__}, up ")
    assert shown[1:4] == [
        "catalog: sqlite",
        "holds:   1 channel, 1 label, 1 file, 1 artifact",
        "tokens:  1 valid",
    ]
    assert shown[5].startswith("indexer: at work (")
    assert shown[6:] == ["waiting: nothing: everything is live"]
    assert json.loads(run("status", "--json").stdout)["waiting"] == []


def test_an_indexer_that_is_not_there_is_told_once_something_waits(tmp_path: Path) -> None:
    with ServerThread(tmp_path, indexing=False) as thread:
        thread.server.channel("chan")

        def indexer() -> str:
            env: dict[str, str | None] = {
                "CHANNELD_URL": thread.server.url,
                "CHANNELD_TOKEN": thread.server.admin,
            }
            return run_command("status", env=env).stdout.splitlines()[5]

        assert indexer() == "indexer: idle"
        thread.upload("alpha-1.0-0.conda", build_conda("alpha"))
        earlier = t.dirty.update().values(since_ms=t.dirty.c.since_ms - 60_000)
        thread.server.database.write_now(lambda connection: connection.execute(earlier).rowcount)
        assert indexer() == "indexer: NOBODY PUBLISHES what waits: is there a process that indexes?"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600)],
)
def test_durations_are_written_with_a_unit(text: str, seconds: int) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5h", "h", "1y", "9" * 10])
def test_what_is_no_duration_is_a_wrong_command_line(run: Run, text: str) -> None:
    assert run("notice", "add", "chan", "x", "--for", text).status == 2
