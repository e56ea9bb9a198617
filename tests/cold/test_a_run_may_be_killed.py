"""A run that is killed leaves every document old or new and whole, and the next one ends as if nothing had been."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from channeld.blobs.durable import Disk
from channeld.catalog.database import SqliteDatabase
from channeld.cold import staging
from tests.support.folders import contents, decompressed, index, leftovers, put, put_conda, shards
from tests.support.packages import build_conda
from tests.support.project import ROOT

#: Where a run is killed: at calls that change what is on the disk, just before or just after they take effect.
STEPS: list[tuple[Any, str]] = [
    (SqliteDatabase, "write_now"),
    (Disk, "rename"),
    (staging, "sync_file_system"),
    (staging.Staging, "put"),
    (os, "rename"),
    (os, "link"),
]


def make_folder(folder: Path) -> None:
    for number in range(6):
        put_conda(folder, f"alpha{number}", subdir=("noarch", "linux-64")[number % 2])
    put(folder, "broken-1.0-0.conda", b"no zip")


def change_folder(folder: Path) -> None:
    put_conda(folder, "alpha0", "2.0")
    put(folder, "alpha1-1.0-0.conda", build_conda("alpha1", subdir="linux-64", depends=["beta"]), "linux-64")
    (folder / "noarch" / "alpha2-1.0-0.conda").unlink()


def run_and_die(folder: Path, step: int, *, after: bool) -> bool:
    """Index in a process of its own that kills itself at a step; returns whether it came that far."""
    process = multiprocessing.get_context("fork").Process(target=_index, args=(folder, step, after))
    process.start()
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


def _index(folder: Path, step: int, after: bool) -> None:
    left = step

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            last = left == 0
            if last and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*args, **kwargs)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapped

    for owner, name in STEPS:
        if hasattr(owner, name):
            setattr(owner, name, dying(getattr(owner, name)))
    index(folder)
    os._exit(0)


def check_whole(folder: Path) -> None:
    """Check that whatever a reader may find is complete."""
    for path in folder.glob("*/*.json"):
        orjson.loads(path.read_bytes())
    for path in folder.glob("*/*.json.zst"):
        orjson.loads(decompressed(path))
    for path in folder.glob("*/repodata_shards.msgpack.zst"):
        shards(folder, path.parent.name)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whatever_step_a_run_is_killed_at_the_next_one_ends_as_a_clean_one(
    tmp_path: Path, after: bool
) -> None:
    clean = tmp_path / "clean" / "channel"
    make_folder(clean)
    index(clean)
    expected = contents(clean)
    folder = tmp_path / "killed" / "channel"
    step, killed = 1, 0
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
        if not run_and_die(folder, step, after=after):
            break
        check_whole(folder)
        assert len(index(folder).refused) == 1
        assert contents(folder) == expected
        assert leftovers(folder) == []
        killed += 1
        step += 1 if step < 8 else 5
    assert killed >= 12


def test_a_killed_update_leaves_old_or_new_documents(tmp_path: Path) -> None:
    clean = tmp_path / "clean" / "channel"
    make_folder(clean)
    index(clean)
    old = tmp_path / "old"
    shutil.copytree(clean, old)
    change_folder(clean)
    report = index(clean)
    assert (report.added, report.replaced, report.removed) == (1, ["linux-64/alpha1-1.0-0.conda"], 1)
    before, expected = contents(old), contents(clean)
    folder = tmp_path / "killed" / "channel"
    for step in range(1, 40, 3):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(old, folder)
        change_folder(folder)
        killed = run_and_die(folder, step, after=False)
        for path, data in contents(folder).items():
            assert data in (before.get(path), expected.get(path)) or path.endswith(".tmp"), path
        check_whole(folder)
        index(folder)
        assert contents(folder) == expected
        if not killed:
            break


def test_kill_9_at_random_moments_and_no_process_stays_behind(tmp_path: Path) -> None:
    for number in range(120):
        put_conda(tmp_path, f"alpha{number}", subdir=("noarch", "linux-64")[number % 2])
    command = [sys.executable, "-m", "channeld", "index", str(tmp_path), "--threads", "2", "--quiet"]
    moments = random.Random(5)
    for _ in range(4):
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        time.sleep(moments.uniform(0.4, 1.4))
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while _group_has_processes(process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not _group_has_processes(process.pid)
        check_whole(tmp_path)
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    check_whole(tmp_path)
    assert len(shards(tmp_path)) == 60
    assert leftovers(tmp_path) == []


def _group_has_processes(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


_IDLE = """
import time
from channeld.cold.workers import Workers

workers = Workers(3)
workers.start()
print(workers.count, flush=True)
time.sleep(60)
"""


def test_processes_that_have_nothing_to_do_end_with_the_one_that_made_them() -> None:
    command = [sys.executable, "-c", _IDLE]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"3\n"
        process.kill()
    try:
        deadline = time.monotonic() + 10
        while _group_has_processes(process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not _group_has_processes(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


_TWICE = """
import sys
from pathlib import Path
from channeld.clock import SystemClock
from channeld.cold.index import IndexOptions, index_folder
from channeld.cold.progress import Silent
from channeld.cold.workers import Workers

workers = Workers(2)
for _ in range(2):
    print(index_folder(Path(sys.argv[1]), IndexOptions(), workers, SystemClock(), Silent()).added)
workers.close()
"""


def test_processes_that_go_on_hold_no_lock(tmp_path: Path) -> None:
    make_folder(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _TWICE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("6\n0\n", "")
