"""Worker processes: jobs are all done, failures come back, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from channeld.cold.workers import WorkerDied, Workers


def double(number: int) -> tuple[int, int]:
    return number * 2, os.getpid()


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_a_little(number: int) -> int:
    time.sleep(0.01)
    return number


def test_every_job_is_done_once_by_all_processes() -> None:
    workers = Workers(2)
    try:
        done = list(workers.run(partial(double, number) for number in range(100)))
    finally:
        workers.close()
    assert sorted((job.args[0], result) for job, (result, _) in done) == [(n, 2 * n) for n in range(100)]
    assert os.getpid() not in {process for _, (_, process) in done}


def test_jobs_are_taken_as_they_are_needed() -> None:
    taken = 0

    def jobs() -> Iterator[partial[int]]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield partial(wait_a_little, number)

    workers = Workers(2)
    try:
        results = workers.run(jobs())
        next(results)
        assert taken <= 6
    finally:
        workers.close()


def test_without_processes_the_jobs_are_done_here() -> None:
    workers = Workers(0)
    results = [result for _, result in workers.run(partial(double, number) for number in (1, 2))]
    assert results == [(2, os.getpid()), (4, os.getpid())]
    workers.close()


def test_a_failure_is_raised_where_the_jobs_come_from() -> None:
    workers = Workers(2)
    try:
        with pytest.raises(ValueError, match="three"):
            list(workers.run(partial(fail_at_three, number) for number in range(10)))
    finally:
        workers.close()


def test_a_process_that_dies_is_told() -> None:
    workers = Workers(2)
    try:
        with pytest.raises(WorkerDied):
            list(workers.run(partial(die_at_three, number) for number in range(1000)))
    finally:
        workers.close()


def test_with_threads_about_new_interpreters_are_started() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        workers = Workers(1)
        try:
            assert [result for _, (result, _) in workers.run(iter([partial(double, 1)]))] == [2]
        finally:
            workers.close()
    finally:
        stop.set()
        thread.join()
