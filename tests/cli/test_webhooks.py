"""Webhooks are made and looked after on the command line."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.packages import build_conda
from tests.support.receivers import Receiver, receiving
from tests.support.server import ServerThread, settings_in
from tests.support.webhooks import LOCAL


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerThread]:
    """A server whose webhooks reach this machine."""
    settings = replace(settings_in(tmp_path), webhooks=LOCAL)
    with ServerThread(tmp_path, settings=settings) as thread:
        thread.server.channel("chan")
        yield thread


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a thread of its own."""
    ready, done = threading.Event(), threading.Event()
    found: list[Receiver] = []

    async def serve() -> None:
        async with receiving() as running:
            found.append(running)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(10)
    yield found[0]
    done.set()
    thread.join()


def shown(run: Run, hook: str) -> list[str]:
    return run("webhook", "show", hook).stdout.splitlines()


def test_a_webhook_is_made_tried_out_and_deleted(server: ServerThread, run: Run, receiver: Receiver) -> None:
    made = run("webhook", "create", receiver.url, "--channel", "chan", "--event", "published")
    assert made.status == 0
    assert re.fullmatch(r"whsec_\S{44}\n", made.stdout)  # so that it can be taken into a variable
    (hook,) = re.findall(r"of the webhook (\S+),", made.stderr)
    assert run("webhook", "ping", hook).stdout == "The event ping is sent when its turn comes.\n"
    server.upload("alpha-1.0-0.conda", build_conda("alpha"))
    for _ in range(1000):
        if sum(" delivered " in line for line in shown(run, hook)) == 2:
            break
        time.sleep(0.02)
    assert [body["type"] for body in receiver.bodies] == ["ping", "published"]
    lines = shown(run, hook)
    assert lines[:4] == [
        f"id:       {hook}",
        f"url:      {receiver.url}",
        "channels: chan",
        "events:   published",
    ]
    assert lines[5:8] == ["state:    at work", "waiting:  0", "dead:     0"]
    assert [line.split()[1] for line in lines[9:]] == ["EVENT", "published", "ping"]
    (listed,) = run("webhook", "list").stdout.splitlines()[1:]
    assert listed.split() == [hook, "at", "work", "0", "0", "chan", "published", receiver.url]
    assert made.stdout.strip() not in run("webhook", "list", "--json").stdout
    assert run("webhook", "delete", hook).status == 0
    assert run("webhook", "show", hook).status == 1


def test_a_webhook_is_paused_resumed_and_told_again(
    server: ServerThread, run: Run, receiver: Receiver
) -> None:
    made = json.loads(run("webhook", "create", receiver.url, "--json").stdout)
    hook = made["webhook"]["id"]
    assert run("webhook", "pause", hook, "--reason", "holidays").status == 0
    assert "state:    paused since" in run("webhook", "show", hook).stdout
    refused = run("webhook", "ping", hook)
    assert (refused.status, "is paused" in refused.stderr) == (1, True)
    server.upload("alpha-1.0-0.conda", build_conda("alpha"))
    assert run("webhook", "resume", hook, "--skip").stdout == f"The webhook {hook} is at work.\n"
    assert run("webhook", "retry", hook).stdout == "0 deliveries are tried again now.\n"
    assert run("webhook", "retry", hook, "7").status == 1
    assert [row["reason"] for row in json.loads(run("audit", "--json").stdout)["entries"]].count(
        "holidays"
    ) == 1
    assert receiver.messages == []


def test_a_wrong_webhook_is_a_sentence(run: Run) -> None:
    refused = run("webhook", "create", "https://me:hidden@example.org/")
    assert refused.status == 1
    assert "has credentials in it" in refused.stderr
    assert "hidden" not in refused.stderr
    assert run("webhook", "create", "https://example.org/", "--event", "everything").status == 2
