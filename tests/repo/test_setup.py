"""``scripts/setup.sh`` on machines that lack something: played with stand-ins for Python, apt-get and id."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.project import ROOT

APT = "apt-get install -y --no-install-recommends python3 python3-venv libarchive13"

# Says what ./lacking holds when it is asked what it lacks; fails like an old Python when there is ./too-old. Its
# environments hold an interpreter of the same kind.
PYTHON = """#!/bin/sh
case "$1" in
  -) cat > /dev/null; test ! -e too-old || exit 2; cat lacking ;;
  -c) ;;
  --version) echo Python 3.11.2 ;;
  -m) echo "python $*" >> calls
      case "$2" in venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;; pip) test ! -e offline ;; esac ;;
esac
"""

# Brings what is missing, unless there is ./offline.
APT_GET = """#!/bin/sh
echo "apt-get $*" >> calls
if test -e offline; then echo "E: Unable to fetch some archives"; exit 100; fi
rm -f too-old; : > lacking
"""


@dataclass(frozen=True)
class Machine:
    """A project folder, and a PATH with nothing on it but stand-ins and what the script is written in."""

    project: Path
    programs: Path

    def has(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(script)
        path.chmod(0o755)

    def lacks(self, what: str) -> None:
        (self.project / "lacking").write_text(f"{what}\n" if what else "")

    def set_up(self) -> subprocess.CompletedProcess[str]:
        (self.project / "calls").write_text("")
        return subprocess.run(
            ["scripts/setup.sh"],
            cwd=self.project,
            env={"PATH": str(self.programs), "PYTHON": "python3", "TMPDIR": str(self.project)},
            check=False,
            capture_output=True,
            text=True,
        )

    @property
    def calls(self) -> list[str]:
        return (self.project / "calls").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Debian, root, nothing lacking."""
    machine = Machine(tmp_path / "project", tmp_path / "programs")
    (machine.project / "scripts").mkdir(parents=True)
    machine.programs.mkdir()
    for name in ("scripts/setup.sh", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, machine.project / name)
    for name in ("bash", "cat", "cp", "dirname", "mkdir", "mktemp", "rm", "sha256sum", "sh", "tail"):
        (machine.programs / name).symlink_to(shutil.which(name) or name)
    machine.has("python3", PYTHON)
    machine.has("apt-get", APT_GET)
    machine.has("id", "#!/bin/sh\necho 0\n")
    machine.lacks("")
    return machine


PIP = "python -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt"
MADE = [
    "python -m venv .venv",
    f"{PIP} pip",
    f"{PIP} hatchling editables",
    f"{PIP} --no-compile --no-build-isolation -e .[dev]",
]
SAID = [
    "Installing what channeld needs into .venv (Python 3.11.2); this is done once and takes a minute …",
    "The environment is ready.",
]


def test_a_machine_that_lacks_nothing_gets_the_environment(machine: Machine) -> None:
    done = machine.set_up()
    assert (done.returncode, done.stderr, done.stdout.splitlines()) == (0, "", SAID)
    assert machine.calls == MADE


def test_the_second_time_nothing_is_done_and_nothing_said(machine: Machine) -> None:
    machine.set_up()
    done = machine.set_up()
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert machine.calls == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_it_is_done_again_when_what_it_was_made_from_has_changed(machine: Machine, name: str) -> None:
    machine.set_up()
    with (machine.project / name).open("a") as file:
        file.write("\n")
    assert machine.set_up().returncode == 0
    assert machine.calls == MADE[1:]


def test_it_is_done_again_when_the_project_has_moved(machine: Machine) -> None:
    machine.set_up()
    moved = Machine(machine.project.rename(machine.project.with_name("moved")), machine.programs)
    assert moved.set_up().returncode == 0
    assert moved.calls == MADE[1:]


def test_it_is_done_again_when_it_did_not_finish(machine: Machine) -> None:
    (machine.project / "offline").touch()
    done = machine.set_up()
    assert done.returncode == 1
    assert "pip could not install the project's dependencies" in done.stderr
    (machine.project / "offline").unlink()
    assert machine.set_up().returncode == 0
    assert machine.calls == MADE[1:]


def test_root_on_debian_is_told_and_given_what_is_lacking(machine: Machine) -> None:
    machine.lacks("the Python module ensurepip, the library libarchive")
    done = machine.set_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"This machine lacks the Python module ensurepip, the library libarchive; installing it: {APT}",
        *SAID,
    ]
    assert machine.calls == [APT, *MADE]


def test_a_python_that_is_too_old_counts_as_none(machine: Machine) -> None:
    (machine.project / "too-old").touch()
    done = machine.set_up()
    assert done.stdout.startswith(f"This machine lacks Python 3.11 or newer; installing it: {APT}\n")
    assert (done.returncode, machine.calls) == (0, [APT, *MADE])


def test_others_are_told_the_command_and_nothing_is_touched(machine: Machine) -> None:
    machine.lacks("the library libarchive")
    machine.has("id", "#!/bin/sh\necho 1000\n")
    done = machine.set_up()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "This machine lacks the library libarchive.",
        "Run this once, then try again:",
        f"  sudo {APT}",
    ]
    assert machine.calls == []
    assert not (machine.project / ".venv").exists()


def test_other_systems_are_told_what_is_lacking(machine: Machine) -> None:
    machine.lacks("the library libarchive")
    (machine.programs / "apt-get").unlink()
    done = machine.set_up()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "This machine lacks the library libarchive.",
        "Install Python 3.11 or newer with venv and pip, and libarchive, with its package manager; then try again.",
    ]
    assert machine.calls == []


def test_when_apt_get_fails_its_last_words_are_shown(machine: Machine) -> None:
    machine.lacks("the library libarchive")
    (machine.project / "offline").touch()
    done = machine.set_up()
    assert done.returncode == 1
    assert done.stderr.startswith("E: Unable to fetch some archives\n")
    assert "apt-get could not install python3 python3-venv libarchive13" in done.stderr
    assert machine.calls == [APT, "apt-get update"]


def test_what_is_still_lacking_after_the_installation_is_told(machine: Machine) -> None:
    machine.lacks("the library libarchive")
    machine.has("apt-get", '#!/bin/sh\necho "apt-get $*" >> calls\n')
    done = machine.set_up()
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "This machine still lacks the library libarchive.",
        "Give a Python 3.11 or newer that has everything by PYTHON=/path/to/python3.",
    ]
    assert machine.calls == [APT]
