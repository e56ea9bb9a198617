"""``channeld copy``: packages are promoted by hand and by a feedstock, looked up and listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from tests.cli.conftest import Run
from tests.support.promotion import PRODUCTION, STAGING, Build
from tests.support.server import ServerThread
from tests.support.webservices import TOKEN

ALPHA, BETA = Build("alpha"), Build("beta")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerThread]:
    """A server that promotes, with alpha on staging."""
    with ServerThread(tmp_path) as thread:
        thread.server.channel(PRODUCTION)
        thread.server.channel(STAGING, kind="staging", promotes_to=PRODUCTION)
        thread.upload(ALPHA.filename, ALPHA.data, channel=STAGING)
        yield thread


def register(server: ServerThread) -> None:
    actor = Actor("test", "local", 0)

    def work(connection: Connection) -> None:
        found, _ = feedstocks.register(connection, PRODUCTION, "alpha", actor)
        channel = channels.lock(connection, [PRODUCTION])[PRODUCTION]
        outputs.register_each(connection, channel, [("alpha", found)], actor)
        values = {
            "feedstock_id": found.id,
            "salt": TOKEN.row.salt,
            "digest": TOKEN.row.digest,
            "created_ms": 0,
            "created_by": "test",
        }
        connection.execute(t.feedstock_tokens.insert().values(**values))

    server.server.database.write_now(work)


def test_by_hand_with_the_hash_looked_up_on_staging(server: ServerThread, run: Run) -> None:
    dry = run("copy", "start", PRODUCTION, ALPHA.key, "--from", STAGING, "--dry-run")
    assert (dry.status, dry.stderr) == (0, "")
    assert "none: a dry run" in dry.stdout
    assert server.shown(channel=PRODUCTION) == []

    done = run("copy", "start", PRODUCTION, ALPHA.key, "--from", STAGING, "--json")
    state = json.loads(done.stdout)
    assert (done.status, state["state"], state["feedstock"]) == (0, "done", "")
    assert server.shown(channel=PRODUCTION) == [ALPHA.filename]
    shown = run("copy", "show", PRODUCTION, state["id"])
    assert shown.status == 0
    assert f"copied  {ALPHA.sha256}" in shown.stdout
    listed = run("copy", "list", PRODUCTION)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["ID", state["id"]]


def test_by_a_feedstock(server: ServerThread, run: Run, tmp_path: Path) -> None:
    register(server)
    asked = ("copy", "start", PRODUCTION, f"{ALPHA.key}={ALPHA.sha256}", "--feedstock", "alpha-feedstock")
    without = run(*asked, env={"FEEDSTOCK_TOKEN": None})
    assert (without.status, "There is no token of the feedstock" in without.stderr) == (2, True)
    wrong = run(*asked, env={"FEEDSTOCK_TOKEN": "0" * 64})
    assert (wrong.status, "No valid token of the feedstock" in wrong.stderr) == (1, True)
    file = tmp_path / "token"
    file.write_text(f"{TOKEN.text}\n")
    done = run(*asked, "--feedstock-token-file", str(file), env={"FEEDSTOCK_TOKEN": None})
    assert (done.status, done.stderr) == (0, "")
    assert "done" in done.stdout


def test_a_refusal_says_everything_that_is_wrong(server: ServerThread, run: Run) -> None:
    both = (f"{ALPHA.key}={'0' * 64}", f"{BETA.key}={BETA.sha256}")
    refused = run("copy", "start", PRODUCTION, *both)
    assert refused.status == 1
    assert refused.stdout.splitlines() == [
        f"output {build.key} does not have a valid checksum or correct label on cf-staging"
        for build in (ALPHA, BETA)
    ]
    assert "Nothing was copied" in refused.stderr
    survivors = run(
        "copy", "start", PRODUCTION, f"{ALPHA.key}={ALPHA.sha256}", both[1], "--survivors", "--json"
    )
    assert json.loads(survivors.stdout)["state"] == "partly"


def test_nobody_has_to_wait(server: ServerThread, run: Run) -> None:
    started = run("copy", "start", PRODUCTION, ALPHA.key, "--from", STAGING, "--no-wait", "--json")
    assert json.loads(started.stdout)["state"] in ("pinned", "checked", "done")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("alpha", "is not of the form SUBDIR/FILE"),
        (f"{ALPHA.key}=abc", "is not of the form SUBDIR/FILE"),
        (ALPHA.key, "Say which bytes are meant"),
    ],
)
def test_a_wrong_command_line(run: Run, output: str, said: str) -> None:
    refused = run("copy", "start", PRODUCTION, output)
    assert refused.status == 2
    assert said in refused.stderr


def test_a_package_that_staging_does_not_have(run: Run) -> None:
    refused = run("copy", "start", PRODUCTION, BETA.key, "--from", STAGING)
    assert refused.status == 1
    assert f"has no package {BETA.key} under the label 'main'" in refused.stderr
