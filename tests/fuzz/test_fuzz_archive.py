"""The fuzzing program runs, and finds nothing in a second."""

from __future__ import annotations

import pytest

from tests.fuzz import fuzz_archive


def test_it_runs_for_a_time_and_tells_what_it_saw(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz_archive.main(["--seconds", "1", "--first-seed", "1000"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "inputs from seed 1000" in out
    assert out.endswith("0 failures\n")


def test_one_seed_can_be_repeated() -> None:
    assert fuzz_archive.main(["--seed", "7"]) == 0


def test_a_failure_is_told_with_its_seed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: bytes, filename: str) -> None:
        raise ZeroDivisionError(filename)

    monkeypatch.setattr(fuzz_archive, "check", fail)
    assert fuzz_archive.run_for(0.01, 5) >= 1
    assert capsys.readouterr().err.startswith("seed 5:\nTraceback")
