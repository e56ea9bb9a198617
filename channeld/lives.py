"""Names for one life of one process, by which another one on the same machine can tell that it has ended.

A lease ends by itself some seconds after its holder was killed. On the same machine nobody needs to wait for that: the
name says which machine since which boot, which space of process numbers, and which process since when (proc(5)).
Anywhere else, or where the system does not tell, a process counts as alive.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

_PROC = Path("/proc")


def new_name() -> str:
    """Return a name for the life of this process that is never used again: a random part, then where it is found."""
    return ".".join(filter(None, (secrets.token_hex(6), _place_of(os.getpid()))))


def short(name: str) -> str:
    """Return the part of a name that people are shown."""
    return name.partition(".")[0]


def has_ended(name: str) -> bool:
    """Tell whether a name is surely that of a process that is gone."""
    place = name.partition(".")[2]
    machine, _, process = place.partition(".")
    number = process.partition(".")[0]
    if not number.isdecimal() or machine != _machine():
        return False
    return _place_of(int(number)) != place


def _place_of(process: int) -> str:
    """Return ``<machine>.<process>.<clock ticks from boot to its start>``; "" where there is no such process."""
    machine = _machine()
    try:
        # the second field is the program's name in brackets, which may hold anything
        fields = (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{machine}.{process}.{fields[19]}" if machine else ""


def _machine() -> str:
    """Return a name for this boot of this machine and its space of process numbers; "" where that is not known."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text()
        space = (_PROC / "self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:12]
