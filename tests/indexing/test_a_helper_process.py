"""Rule: a process that helps does what it is given, tells what fails, and never stays behind."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest

from channeld import __version__
from channeld.indexing import helperprocess
from channeld.indexing.helperprocess import HelperProcess
from channeld.jobs import JobFailed
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


def die_while_answering() -> None:
    """Send the beginning of a long answer, and end."""
    pipe = next(
        int(fd.name)
        for fd in Path("/proc/self/fd").iterdir()
        if fd.is_symlink() and "socket" in str(fd.readlink())
    )
    os.write(pipe, struct.pack("!i", 1000) + b"x" * 10)
    os._exit(9)


def test_one_that_ends_while_it_answers_is_told(helper: HelperProcess) -> None:
    with pytest.raises(BrokenExecutor):
        helper.submit(die_while_answering).result()


class Odd(Exception):
    """Cannot be made of what it says."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def fail_oddly() -> None:
    raise Odd(1, 2)


def answer_oddly() -> object:
    return lambda: None


@pytest.mark.parametrize(
    ("call", "said"), [(fail_oddly, r"Odd\('1 and 2'\)"), (answer_oddly, "function answer_oddly")]
)
def test_what_cannot_be_sent_is_told(helper: HelperProcess, call: Callable[[], object], said: str) -> None:
    with pytest.raises(JobFailed, match=said):
        helper.submit(call).result()
    assert helper.submit(double, 1).result()[0] == 2


def test_one_that_does_not_answer_can_be_killed(helper: HelperProcess) -> None:
    process = helper.submit(os.getpid).result()
    os.kill(process, signal.SIGSTOP)
    under_way = [helper.submit(bytes.upper, b"x" * (8 << 20)) for _ in range(2)]
    helper.kill()
    for future in under_way:
        with pytest.raises(BrokenExecutor):
            future.result()


def test_one_that_is_stopped_is_let_go_of_all_the_same() -> None:
    helper = HelperProcess()
    process = helper.submit(os.getpid).result()
    os.kill(process, signal.SIGSTOP)
    helper.submit(bytes.upper, b"x" * (8 << 20))
    helper.shutdown(cancel_futures=True)
    assert not is_there(process)


def test_it_can_be_let_go_of_without_waiting() -> None:
    helper = HelperProcess()
    process = helper.submit(os.getpid).result()
    slow, last = helper.submit(time.sleep, 0.1), helper.submit(double, 4)
    helper.shutdown(wait=False)
    assert (slow.result(), last.result()) == (None, (8, process))
    assert wait_until_gone(process)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_for_the_process_that_made_it(helper: HelperProcess, stop: int) -> None:
    process = helper.submit(os.getpid).result()
    os.kill(process, stop)
    assert helper.submit(double, 1).result() == (2, process)


def test_ctrl_c_does_not_reach_it(helper: HelperProcess) -> None:
    process = helper.submit(os.getpid).result()
    assert os.getpgid(process) == process


def test_it_has_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    with HelperProcess() as helper:
        assert helper.submit(double, 1).result()[0] == 2


def test_another_version_on_the_disk_does_not_help(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(helperprocess, "__version__", "0.0.1")
    with HelperProcess() as helper, pytest.raises(BrokenExecutor):
        helper.submit(double, 1).result()
    assert capfd.readouterr().err.endswith(
        f"A helper process is channeld {__version__}, but channeld 0.0.1 runs: restart it.\n"
    )


def test_without_a_known_interpreter_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", None)
    with pytest.raises(OSError, match="where Python is"):
        HelperProcess()


def test_without_a_thread_nothing_is_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    helper = HelperProcess()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(BrokenExecutor, match="can't start new thread"):
            helper.submit(double, 1)
    helper.shutdown(cancel_futures=True)


_MAKER = """
import os, sys, time
print("main", flush=True)
from channeld import __version__
from channeld.indexing import helperprocess
from channeld.indexing.helperprocess import HelperProcess
from channeld.jobs import JobFailed
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
