"""Rule: a process that helps does what it is given, tells what fails, and never stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest

from channeld.indexing.helperprocess import HelperProcess
from tests.support.project import ROOT


@pytest.fixture
def helper() -> Iterator[HelperProcess]:
    with HelperProcess() as process:
        yield process


def double(number: int) -> tuple[int, int]:
    return number * 2, os.getpid()


def fail(number: int) -> None:
    raise ValueError(f"number {number}")


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(process: int) -> bool:
    deadline = time.monotonic() + 10
    while is_there(process) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_there(process)


def test_calls_are_done_elsewhere(helper: HelperProcess) -> None:
    done = [future.result() for future in [helper.submit(double, number) for number in range(10)]]
    assert [result for result, _ in done] == [2 * number for number in range(10)]
    (process,) = {process for _, process in done}
    assert process != os.getpid()


def test_large_calls_and_results_go_through(helper: HelperProcess) -> None:
    large = b"x" * (8 << 20)
    assert helper.submit(bytes.upper, large).result() == large.upper()


def test_a_failure_is_told_and_the_next_call_is_done(helper: HelperProcess) -> None:
    with pytest.raises(ValueError, match="number 3"):
        helper.submit(fail, 3).result()
    assert helper.submit(double, 1).result()[0] == 2


def test_it_ends_when_it_is_let_go() -> None:
    with HelperProcess() as helper:
        process = helper.submit(os.getpid).result()
    assert not is_there(process)


def test_calls_that_wait_are_given_up_where_that_is_asked_for() -> None:
    helper = HelperProcess()
    helper.submit(time.sleep, 0.2)
    waiting = [helper.submit(double, number) for number in range(3)]
    helper.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in waiting)


def test_one_that_was_killed_is_told(helper: HelperProcess) -> None:
    process = helper.submit(os.getpid).result()
    under_way = helper.submit(time.sleep, 60)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(BrokenExecutor):
        under_way.result()
    with pytest.raises(BrokenExecutor):
        helper.submit(double, 1).result()


def test_ctrl_c_is_for_the_process_that_made_it(helper: HelperProcess) -> None:
    process = helper.submit(os.getpid).result()
    os.kill(process, signal.SIGINT)
    assert helper.submit(double, 1).result() == (2, process)


_MAKER = """
import os, sys, time
print("main", flush=True)
from channeld.indexing.helperprocess import HelperProcess
helper = HelperProcess()
print(helper.submit(os.getpid).result(), flush=True)
if sys.argv[1:] == ["busy"]:
    helper.submit(time.sleep, 1)
time.sleep(60)
"""


@pytest.mark.parametrize("arguments", [[], ["busy"]])
def test_it_ends_with_the_process_that_made_it_and_runs_no_main_module(
    tmp_path: Path, arguments: list[str]
) -> None:
    script = tmp_path / "program.py"  # without a guard against being run twice
    script.write_text(_MAKER)
    command = [sys.executable, str(script), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"main\n"
        process = int(maker.stdout.readline())
        assert is_there(process)
        maker.kill()
    assert wait_until_gone(process)
