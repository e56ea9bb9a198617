"""Fuzz the package readers: ``python -m tests.fuzz.fuzz_archive --seconds 60``.

Every input comes out of a seed of its own, which is printed when an input does something else than being read or
refused; ``--seed`` repeats it alone. With atheris installed, ``--atheris`` lets coverage choose the seeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import time
import traceback
from collections.abc import Sequence

from tests.support.mutations import check, spoil

#: Seconds that one small input may take.
SLOW = 2.0


def run_seed(seed: int) -> bool:
    """Run one input. Returns whether it was read."""
    data, filename = spoil(random.Random(seed))
    started = time.perf_counter()
    found = check(data, filename)
    if time.perf_counter() - started > SLOW:
        raise TimeoutError(f"seed {seed} took {time.perf_counter() - started:.1f} s")
    return found is not None


def run_for(seconds: float, first_seed: int) -> int:
    """Run inputs for a time. Returns how many did what they should not."""
    deadline = time.monotonic() + seconds
    seed, read, failures = first_seed, 0, 0
    while time.monotonic() < deadline:
        try:
            read += run_seed(seed)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            failures += 1
            sys.stderr.write(f"seed {seed}:\n{traceback.format_exc()}\n")
        seed += 1
    count = seed - first_seed
    sys.stdout.write(
        f"{count} inputs from seed {first_seed}: {read} read, {count - read} refused, {failures} failures\n"
    )
    return failures


def run_atheris() -> None:
    """Let libFuzzer choose the seeds, by the lines that they reach."""
    atheris = importlib.import_module("atheris")
    atheris.instrument_all()
    atheris.Setup(sys.argv[:1], lambda data: check(*spoil(random.Random(data))))
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args(arguments)
    if options.atheris and importlib.util.find_spec("atheris"):
        run_atheris()
        return 0
    if options.seed is not None:
        run_seed(options.seed)
        return 0
    return min(1, run_for(options.seconds, options.first_seed))


if __name__ == "__main__":
    raise SystemExit(main())
