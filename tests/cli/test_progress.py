"""The progress bar shows share, rate and remaining time on a terminal, and nothing elsewhere."""

from __future__ import annotations

import io

from channeld.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_share_rate_and_remaining_time_are_shown() -> None:
    clock = Clock()
    progress = Progress(100_000_000, Terminal(), clock)
    assert progress.text() == "[------------------------]   0%  0 B of 100 MB  0 B/s  --:-- left"
    clock.now += 2
    progress.add(25_000_000)
    assert progress.text() == "[######------------------]  25%  25.0 MB of 100 MB  12.5 MB/s  00:06 left"
    clock.now += 2
    progress.add(75_000_000)
    assert progress.text() == "[########################] 100%  100 MB of 100 MB  25.0 MB/s  00:00 left"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    clock = Clock()
    progress = Progress(10**9, Terminal(), clock)
    for _ in range(10):
        clock.now += 1
        progress.add(10_000_000)
    for _ in range(10):
        clock.now += 1
        progress.add(1_000_000)
    assert "  1.0 MB/s  14:50 left" in progress.text()


def test_what_has_to_go_out_again_is_taken_back() -> None:
    progress = Progress(1000, Terminal(), Clock())
    progress.add(500)
    progress.add(-500)
    assert progress.text().startswith("[------------------------]   0%  0 B of 1.0 kB")


def test_it_is_drawn_at_most_ten_times_a_second_and_cleared() -> None:
    clock, terminal = Clock(), Terminal()
    progress = Progress(1000, terminal, clock)
    for _ in range(100):
        clock.now += 0.01
        progress.add(10)
    assert 9 <= terminal.getvalue().count("\r\x1b[2K[") <= 11
    progress.clear()
    assert terminal.getvalue().endswith("\r\x1b[2K")


def test_elsewhere_nothing_is_drawn() -> None:
    stream = io.StringIO()
    progress = Progress(1000, stream, Clock())
    progress.add(1000)
    progress.clear()
    assert stream.getvalue() == ""


def test_nothing_to_send_is_done() -> None:
    assert Progress(0, Terminal(), Clock()).text().startswith("[########################] 100%")
