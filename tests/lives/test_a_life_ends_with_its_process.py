"""Rule: a name of a process's life tells on the same machine that the process is gone, and is never wrong about it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from channeld import lives


def name_of_another(*, wait: bool) -> tuple[str, subprocess.Popen[str]]:
    program = "from channeld import lives; print(lives.new_name(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    if not wait:
        process.kill()
        process.communicate()
    return name, process


def test_this_process_lives() -> None:
    assert not lives.has_ended(lives.new_name())


def test_no_name_is_given_twice() -> None:
    names = {lives.new_name() for _ in range(100)}
    assert len(names) == 100
    assert len({lives.short(name) for name in names}) == 100


def test_another_process_lives_until_it_is_killed() -> None:
    name, process = name_of_another(wait=True)
    assert not lives.has_ended(name)
    process.kill()
    process.communicate()
    assert lives.has_ended(name)


def test_a_process_that_has_got_the_number_of_one_that_is_gone_is_another() -> None:
    random, machine, number, start = lives.new_name().split(".")
    assert lives.has_ended(f"{random}.{machine}.{number}.{int(start) - 1}")


def test_of_other_machines_nothing_is_said() -> None:
    random, machine, _, start = lives.new_name().split(".")
    other = ("0" if machine[0] != "0" else "1") + machine[1:]
    assert not lives.has_ended(f"{random}.{other}.1.{start}")


@pytest.mark.parametrize("name", ["", "publisher", "a.b", "a.b.c", "a..1.2", "a.b.-1.2", "a.b.1"])
def test_of_other_names_nothing_is_said(name: str) -> None:
    assert not lives.has_ended(name)
