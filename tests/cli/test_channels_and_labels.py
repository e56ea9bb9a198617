"""Channels and labels are looked after from the command line."""

from __future__ import annotations

import json

from tests.cli.conftest import Ran, Run
from tests.support.packages import build_conda
from tests.support.server import ServerThread

A1, A2, B1 = "alpha-1.0-0.conda", "alpha-2.0-0.conda", "beta-1.0-0.conda"


def fill(server: ServerThread) -> None:
    for name, version in (("alpha", "1.0"), ("alpha", "2.0"), ("beta", "1.0")):
        answer = server.upload(f"{name}-{version}-0.conda", build_conda(name, version), "dev")
        assert answer.status == 201


def test_a_channel_is_created_shown_changed_and_deleted(server: ServerThread, run: Run) -> None:
    url = f"{server.server.url}/tools"
    created = run("channel", "create", "tools", "--description", "For builds.", "--subdir", "linux-64")
    assert created == Ran(0, f"The channel tools is at {url}\n", "")
    changed = run("channel", "configure", "tools", "--private")
    lines = changed.stdout.splitlines()
    assert [line for line in lines if not line.startswith("created:")] == [
        "name:            tools",
        f"url:             {url}",
        "kind:            standard",
        "private:         yes",
        "legacy packages: refuse",
        "promotes to:     -",
        "copies by md5:   allow",
        "subdirs:         linux-64 noarch",
        "revision:        2",
        "description:     For builds.",
    ]
    assert run("channel", "show", "tools").stdout == changed.stdout
    assert run("channel", "list").stdout.splitlines() == [
        "NAME   KIND      ACCESS   DESCRIPTION",
        "chan   standard  public",
        "tools  standard  private  For builds.",
    ]
    assert run("channel", "delete", "tools") == Ran(0, "The channel tools is deleted.\n", "")
    assert run("channel", "show", "tools").status == 1


def test_programs_get_what_the_server_answered(server: ServerThread, run: Run) -> None:
    for arguments, path in (
        (("channel", "show", "chan"), "/channels/chan"),
        (("channel", "list"), "/channels"),
        (("label", "list", "chan"), "/channels/chan/labels"),
        (("label", "show", "chan", "main"), "/channels/chan/labels/main"),
        (("token", "show"), "/token"),
        (("token", "list"), "/tokens"),
        (("notice", "list", "chan"), "/channels/chan/notices"),
        (("audit",), "/audit"),
    ):
        shown = run(*arguments, "--json")
        assert (shown.status, shown.stderr) == (0, "")
        assert json.loads(shown.stdout) == server.ask("GET", f"/api/v1{path}").json


def test_nothing_to_configure_is_a_wrong_command_line(run: Run) -> None:
    assert run("channel", "configure", "chan").status == 2


def test_a_full_channel_is_deleted_by_force_after_a_question(server: ServerThread, run: Run) -> None:
    fill(server)
    assert run("channel", "delete", "chan").status == 1
    assert run("channel", "delete", "chan", "--force", stdin="n\n").status == 1
    assert run("channel", "delete", "chan", "--force").status == 1  # nobody is there to answer
    assert server.shown("dev") == [A1, A2, B1]
    assert run("channel", "delete", "chan", "--force", "--yes").status == 0
    assert server.ask("GET", "/api/v1/channels/chan").status == 404


def test_the_terminal_is_not_commanded_by_a_description(run: Run) -> None:
    run("channel", "configure", "chan", "--description", "\x1b[2Jgone\x07")
    assert "\x1b" not in run("channel", "list").stdout
    assert "\N{REPLACEMENT CHARACTER}[2Jgone" in run("channel", "show", "chan").stdout


def test_a_reason_may_have_lines(server: ServerThread, run: Run) -> None:
    assert run("channel", "configure", "chan", "--private", "--reason", "first\nsecond \N{BUG}").status == 0
    entry = server.ask("GET", "/api/v1/audit?channel=chan&limit=1").json["entries"][0]
    assert entry["reason"] == "first second \N{BUG}"


def test_a_label_is_created_locked_related_and_deleted(server: ServerThread, run: Run) -> None:
    assert run("label", "create", "chan", "rc/next").status == 0
    assert run("label", "lock", "chan", "rc/next").status == 0
    assert run("label", "relate", "chan", "rc/next", "--overrides", "../../../conda-forge").status == 0
    shown = run("label", "show", "chan", "rc/next").stdout.splitlines()
    assert [line for line in shown if not line.startswith("created:")] == [
        "name:      rc/next",
        f"url:       {server.server.url}/chan/label/rc/next",
        "files:     0",
        "locked:    yes",
        "relations: overrides ../../../conda-forge",
    ]
    assert run("label", "delete", "chan", "rc/next").status == 1
    assert run("label", "unlock", "chan", "rc/next").status == 0
    assert "relations: none" in run("label", "relate", "chan", "rc/next", "--none").stdout
    assert run("label", "delete", "chan", "rc/next").status == 0
    assert run("label", "relate", "chan", "main").status == 2
    assert run("label", "relate", "chan", "main", "--none", "--base", "../x").status == 2


def test_labels_are_put_on_a_file_a_version_or_a_package(server: ServerThread, run: Run) -> None:
    fill(server)
    added = run("label", "add", "chan", A1, "--to", "main")
    assert added.stdout.splitlines()[0] == f"noarch/{A1}: dev -> dev main"
    assert server.shown("main") == [A1]
    run("label", "add", "chan", "alpha=2.0", "--to", "main")
    assert server.shown("main") == [A1, A2]
    run("label", "add", "chan", "alpha", f"noarch/{B1}", "--to", "rc", "--to", "test")
    assert [server.shown(label) for label in ("rc", "test")] == [[A1, A2, B1]] * 2
    run("label", "remove", "chan", "alpha", "--from", "rc")
    assert server.shown("rc") == [B1]


def test_everything_that_carries_a_label_is_copied_moved_or_loses_it(server: ServerThread, run: Run) -> None:
    fill(server)
    copied = run("label", "copy", "chan", "--from", "dev", "--to", "main")
    assert copied.stdout.splitlines()[-1].startswith("3 files changed, in revision ")
    assert [server.shown(label) for label in ("dev", "main")] == [[A1, A2, B1]] * 2
    run("label", "move", "chan", "--from", "dev", "--to", "rc", "beta")
    assert [server.shown(label) for label in ("dev", "rc")] == [[A1, A2], [B1]]
    run("label", "remove", "chan", "--from", "dev")
    assert server.shown("dev") == []


def test_a_dry_run_changes_nothing(server: ServerThread, run: Run) -> None:
    fill(server)
    tried = run("label", "move", "chan", "--from", "dev", "--to", "main", "--dry-run")
    assert tried == Ran(
        0,
        "".join(f"noarch/{filename}: dev -> main\n" for filename in (A1, A2, B1))
        + "3 files would change. Nothing was changed.\n",
        "",
    )
    assert [server.shown(label) for label in ("dev", "main")] == [[A1, A2, B1], []]


def test_asking_twice_is_told(server: ServerThread, run: Run) -> None:
    fill(server)
    run("label", "move", "chan", "--from", "dev", "--to", "main", A1)
    again = run("label", "move", "chan", "--from", "dev", "--to", "main", A1)
    assert again == Ran(0, "Nothing to change: all of it is so already.\n", "")


def test_what_is_no_file_and_no_package_is_a_wrong_command_line(server: ServerThread, run: Run) -> None:
    for what in ("a/b", "=1.0", "alpha=", "x/y/alpha-1.0-0.conda"):
        assert run("label", "add", "chan", what, "--to", "main").status == 2
    assert run("label", "add", "chan", "--to", "main").status == 2
    refused = run("label", "add", "chan", "gamma", "--to", "main")
    assert (refused.status, refused.stderr.splitlines()[0]) == (
        1,
        "Error: The channel 'chan' has no package 'gamma'.",
    )


def test_broken_packages_are_hidden_and_come_back(server: ServerThread, run: Run) -> None:
    fill(server)
    assert run("broken", "mark", "chan").status == 2
    marked = run("broken", "mark", "chan", A2, "--reason", "loses data")
    assert marked.stdout.splitlines()[0] == f"noarch/{A2}: dev -> broken dev"
    assert [server.shown(label) for label in ("dev", "broken")] == [[A1, B1], [A2]]
    listed = run("broken", "list", "chan")
    assert f"noarch/{A2}" in listed.stdout
    assert listed.stderr == "1 broken file\n"
    assert run("broken", "unmark", "chan", A2).status == 0
    assert [server.shown(label) for label in ("dev", "broken")] == [[A1, A2, B1], []]
    reasons = run("audit", "--channel", "chan", "--limit", "3").stdout
    assert "loses data" in reasons
