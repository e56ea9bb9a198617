"""The help of the commands is quick, complete and shows how to begin."""

from __future__ import annotations

import subprocess
import sys
import time

import click
import pytest

from channeld import __version__
from channeld.cli import main
from channeld.cli.group import CommandGroup, Entry
from tests.cli.conftest import run_command


def commands() -> list[str]:
    return main.list_commands(click.Context(main))


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_are_quick(option: str) -> None:
    def once() -> float:
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "channeld", option], check=True, capture_output=True)
        assert done.stdout
        return time.perf_counter() - started

    assert min(once() for _ in range(3)) < 0.5


def test_help_loads_no_command() -> None:
    probe = "import sys; from channeld.cli import main; main(['--help'], standalone_mode=False); "
    probe += "print(*(m for m in sys.modules if m.split('.')[0] in ('aiohttp', 'sqlalchemy', 'channeld')))"
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded == {
        "channeld",
        "channeld.cli",
        "channeld.cli.group",
        "channeld.cli.failures",
        "channeld.errors",
    }


def test_help_lists_every_command_under_a_heading_with_examples() -> None:
    shown = run_command("--help")
    assert shown.status == 0
    for command in commands():
        assert f"\n  {command} " in shown.stdout
    headings = ("Server:", "Channels:", "Packages:", "Data:", "Examples:", "Exit status:")
    assert [heading for heading in headings if heading not in shown.stdout] == []


def test_the_version_is_told() -> None:
    assert run_command("--version").stdout == f"channeld {__version__}\n"


@pytest.mark.parametrize(
    "command", [name for name in commands() if name not in ("index", "import", "fsck", "db")]
)
def test_every_command_explains_itself(command: str) -> None:
    shown = run_command(command, "--help")
    assert (shown.status, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"Usage: main {command} ") or shown.stdout.startswith(
        f"Usage: channeld {command} "
    )


@pytest.mark.parametrize("group", ["channel", "label", "broken", "token", "notice", "file"])
def test_the_summaries_of_a_group_are_whole_sentences(group: str) -> None:
    shown = run_command(group, "--help")
    summaries = shown.stdout.partition("Commands:\n")[2].splitlines()
    assert summaries
    assert [line for line in summaries if not line.endswith(".") or line.endswith("...")] == []


def test_an_unknown_command_is_a_wrong_command_line() -> None:
    refused = run_command("chanel")
    assert refused.status == 2
    assert "No such command 'chanel'" in refused.stderr


def test_a_command_that_is_not_there_breaks_nothing_else() -> None:
    group = CommandGroup(
        "test",
        entries=[Entry("A", "gone", "channeld.cli.gone:gone", "Is gone."), Entry("A", "ok", "os:sep", "")],
    )
    with pytest.raises(click.ClickException, match="no command 'gone'"):
        group.get_command(click.Context(group), "gone")
    assert group.list_commands(click.Context(group)) == ["gone", "ok"]
