"""``channeld apply`` checks every file before it does anything, shows a table of results, and prints no token."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from channeld.catalog import feedstocks
from channeld.cli import applying
from channeld.cli.failures import NotNow
from tests.cli.conftest import Ran, Run
from tests.support.catalog import actor
from tests.support.packages import build_conda
from tests.support.server import ServerThread, grant

A1, B1 = "noarch/alpha-1.0-0.conda", "noarch/beta-1.0-0.conda"
BROKEN = f"action: broken\npackages:\n- {A1}\n- {B1}\n"
ARCHIVE = "action: archive\nfeedstocks: [alpha-feedstock]\n"
RESET = "action: token_reset\nfeedstocks: [alpha]\nproviders: [azure]\nchannel: chan\n"

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def filled(server: ServerThread) -> None:
    """The channel has two packages and a feedstock."""
    for name in ("alpha", "beta"):
        assert server.upload(f"{name}-1.0-0.conda", build_conda(name)).status == 201
    server.server.database.write_now(
        lambda connection: feedstocks.register(connection, "chan", "alpha", actor())
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "requests"
    made.mkdir()
    return made


@pytest.fixture
def write(folder: Path) -> Write:
    def write_one(name: str, text: str) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write_one


def table(ran: Ran) -> list[list[str]]:
    """Return the cells of a table."""
    return [[cell for cell in line.split("  ") if cell] for line in ran.stdout.splitlines()]


def test_a_folder_of_files_is_applied(server: ServerThread, run: Run, folder: Path, write: Write) -> None:
    archive = write("a.yaml", ARCHIVE)
    broken = write("b.yml", BROKEN)
    write(".keep", "")
    tried = run("apply", str(folder), "--channel", "chan", "--dry-run")
    assert server.shown() == ["alpha-1.0-0.conda", "beta-1.0-0.conda"]
    done = run("apply", str(folder), "--channel", "chan")
    assert (tried.status, tried.stderr) == (
        0,
        "3 of 3 entries in 2 files would be done. Nothing was changed.\n",
    )
    assert (done.status, done.stderr) == (0, "3 of 3 entries in 2 files done.\n")
    rows = [(archive, "archive", "alpha"), (broken, "broken", A1), (broken, "broken", B1)]
    for ran, outcome in ((tried, "would be done"), (done, "done")):
        assert [[cell.strip() for cell in row] for row in table(ran)] == [
            ["FILE", "CHANNEL", "ACTION", "ENTRY", "OUTCOME", "WHY"],
            *([str(path), "chan", action, entry, outcome] for path, action, entry in rows),
        ]
    assert server.shown() == []
    again = run("apply", str(folder), "--channel", "chan")
    assert (again.status, again.stderr) == (0, "Nothing to change in 2 files.\n")
    entry = server.ask("GET", "/api/v1/audit?channel=chan&limit=1").json["entries"][0]
    assert entry["reason"] == "b.yml"


def test_one_wrong_file_keeps_all_of_them_from_being_done(
    server: ServerThread, run: Run, folder: Path, write: Write
) -> None:
    write("a.yml", BROKEN)
    wrong = write("b.yml", "action: broken\npackages:\n- a\n- b\n")
    text = write("c.txt", BROKEN)
    (folder / "d").mkdir()
    os.mkfifo(folder / "f.yml")
    unnamed = write("e.json", '{"action": "archive", "feedstocks": ["alpha"]}')
    failed = run("apply", str(folder))
    assert (failed.status, failed.stdout) == (1, "")
    what = "does not say which channel it is about; give --channel, or it the key `channel`"
    assert failed.stderr.splitlines() == [
        f"{folder / 'a.yml'}: it {what}",
        f"{wrong}:3: packages[0] 'a' is not of the form <subdir>/<file name>",
        f"{wrong}:4: packages[1] 'b' is not of the form <subdir>/<file name>",
        f"{text}: it ends in none of .yml, .yaml, .json",
        f"{folder / 'd'}: it is a folder",
        f"{unnamed}: it {what}",
        f"{folder / 'f.yml'}: it is no file",
        "Error: 6 of 6 files cannot be applied, so nothing was done.",
        "See `channeld apply --help` for what a request has.",
    ]
    told = run("apply", str(folder), "--channel", "chan", "--json")
    assert (told.status, [each["file"] for each in json.loads(told.stdout)["problems"]]) == (
        1,
        [str(wrong), str(wrong), str(text), str(folder / "d"), str(folder / "f.yml")],
    )
    assert server.shown() == ["alpha-1.0-0.conda", "beta-1.0-0.conda"]


def test_what_the_server_would_refuse_keeps_all_files_from_being_done(
    server: ServerThread, run: Run, folder: Path, write: Write
) -> None:
    write("a.yml", BROKEN)
    write("b.yml", ARCHIVE.replace("[", "[gamma, "))
    refused = run("apply", str(folder), "--channel", "chan")
    assert refused.status == 1
    assert [row[3].strip() + " " + row[4].strip() for row in table(refused)[1:]] == [
        f"{A1} would be done",
        f"{B1} would be done",
        "gamma refused",
        "alpha withheld",
    ]
    assert "has no feedstock 'gamma'" in refused.stdout
    assert refused.stderr == "Error: 1 of 2 files cannot be applied, so nothing was done.\n"
    assert server.shown() == ["alpha-1.0-0.conda", "beta-1.0-0.conda"]


def test_who_lacks_the_right_learns_it_for_each_file(
    server: ServerThread, run: Run, folder: Path, write: Write
) -> None:
    write("a.yml", BROKEN)
    write("b.yml", ARCHIVE)
    token = server.server.token(grant("label", channels="chan"))
    refused = run("apply", str(folder), "--channel", "chan", env={"CHANNELD_TOKEN": token})
    assert refused.status == 1
    assert table(refused)[-1][-1] == "This needs a token with the right 'configure' on the channel 'chan'."
    assert server.shown() == ["alpha-1.0-0.conda", "beta-1.0-0.conda"]
    nobody = run("apply", str(folder), "--channel", "chan", env={"CHANNELD_TOKEN": "wrong"})
    assert (nobody.status, nobody.stdout) == (1, "")
    assert nobody.stderr.startswith("Error: The token is not valid")


def test_what_changes_meanwhile_is_refused_and_the_rest_is_done(
    server: ServerThread, run: Run, folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.yml", BROKEN)
    write("b.yml", ARCHIVE)
    rehearse = applying.rehearse

    def rehearse_and_change(*arguments: Any) -> Any:
        rehearsed = rehearse(*arguments)
        assert server.ask("DELETE", f"/api/v1/channels/chan/files/{B1}").status == 204
        return rehearsed

    monkeypatch.setattr(applying, "rehearse", rehearse_and_change)
    ran = run("apply", str(folder), "--channel", "chan")
    assert [row[3].strip() + " " + row[4].strip() for row in table(ran)[1:]] == [
        f"{A1} withheld",
        f"{B1} refused",
        "alpha done",
    ]
    assert (ran.status, ran.stderr) == (1, "Error: 1 of 2 files cannot be applied.\n")
    assert server.shown() == ["alpha-1.0-0.conda"]


def test_what_was_done_before_the_server_went_away_is_told(
    run: Run, folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.yml", "b.yml", "c.yml"):
        write(name, BROKEN)
    post, sent = applying._post, []

    async def post_some(*arguments: Any) -> Any:
        sent.append(arguments)
        if len(sent) == 5:
            raise NotNow("The server cannot be reached.")
        return await post(*arguments)

    monkeypatch.setattr(applying, "_post", post_some)
    ran = run("apply", str(folder), "--channel", "chan")
    assert (ran.status, len(sent), len(table(ran))) == (3, 5, 3)
    assert ran.stderr.splitlines() == [
        "2 files could not be applied.",
        "Error: The server cannot be reached.",
    ]


def test_programs_get_json(server: ServerThread, run: Run, write: Write) -> None:
    file = write("a.yml", f"{BROKEN}channel: chan\n")
    ran = run("apply", str(file), str(file), "--json")
    (told,) = json.loads(ran.stdout)["requests"]
    assert told["file"] == str(file)
    assert (told["outcome"], told["dry_run"], len(told["entries"])) == ("done", False, 2)
    assert set(told) == {"file", "channel", "action", "outcome", "entries", "revision", "dry_run"}


def test_new_tokens_go_into_a_file_of_their_own_and_nowhere_else(
    run: Run, tmp_path: Path, write: Write
) -> None:
    file, tokens = write("reset.yml", RESET), tmp_path / "tokens.jsonl"
    missing = run("apply", str(file))
    assert (missing.status, "--tokens" in missing.stderr) == (2, True)
    assert run("apply", str(file), "--dry-run").status == 0
    ran = run("apply", str(file), "--tokens", str(tokens), "--json")
    assert (ran.status, ran.stderr) == (0, "1 of 1 entry in 1 file done.\n")
    (kept,) = [json.loads(line) for line in tokens.read_text().splitlines()]
    assert {key: kept[key] for key in ("channel", "feedstock", "provider")} == {
        "channel": "chan",
        "feedstock": "alpha",
        "provider": "azure",
    }
    assert len(bytes.fromhex(kept["token"])) == 32
    assert kept["token"] not in ran.stdout
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    again = run("apply", str(file), "--tokens", str(tokens))
    assert (again.status, again.stderr.splitlines()[0]) == (1, f"Error: {tokens} is there already.")
    assert json.loads(tokens.read_text()) == kept


def test_where_no_token_is_made_no_file_is_left(run: Run, tmp_path: Path, write: Write) -> None:
    file, tokens = write("a.yml", f"{BROKEN}channel: chan\n"), tmp_path / "tokens.jsonl"
    assert run("apply", str(file), "--tokens", str(tokens)).status == 0
    assert not tokens.exists()


def test_a_server_that_is_away_is_told(run: Run, folder: Path, write: Write) -> None:
    write("a.yml", BROKEN)
    away = run("apply", str(folder), "--channel", "chan", env={"CHANNELD_URL": "http://127.0.0.1:9"})
    assert (away.status, away.stdout) == (3, "")


def test_an_empty_folder_is_no_mistake(run: Run, folder: Path) -> None:
    assert run("apply", str(folder)) == Ran(0, "", "Nothing to change in 0 files.\n")
