"""All benchmarks, one after the other, each in a process of its own: ``python -m benchmarks [--small] [name …]``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.measure import machine, parser, say

#: In this order; what is not there is left out.
NAMES: Final = ("cold", "publish", "rebuild", "size", "serve", "upload", "promote")


def main() -> int:
    """Run them, and repeat their last lines at the end; the status is that of the worst."""
    arguments = parser(__doc__)
    arguments.add_argument("name", nargs="*", help=f"only these: {', '.join(NAMES)}")
    options = arguments.parse_args()
    there = [name for name in NAMES if Path(__file__).with_name(f"{name}.py").exists()]
    if unknown := set(options.name) - set(there):
        arguments.error(f"there is no benchmark called {', '.join(sorted(unknown))}")
    say(machine())
    results = {name: _run(name, small=options.small) for name in options.name or there}
    say(f"\n{'benchmark':10} result")
    for name, (status, line) in results.items():
        say(f"{name:10} {line}" if status == 0 else f"{name:10} failed with status {status}: {line}")
    return max((status for status, _ in results.values()), default=0)


def _run(name: str, *, small: bool) -> tuple[int, str]:
    """Run one benchmark, showing what it prints; returns its status and its last line, which may be an error."""
    say(f"\n== {name} ==")
    command = [sys.executable, "-u", "-m", f"benchmarks.{name}", *(["--small"] if small else [])]
    last = "(it printed nothing)"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            say(line.rstrip("\n"))
            last = line.strip() or last
    return abs(process.returncode), last


if __name__ == "__main__":
    sys.exit(main())
