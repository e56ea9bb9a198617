"""Trouble on demand: a disk and a catalog that fail at a chosen step, before it took effect or after."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from channeld.blobs.durable import Disk
from channeld.blobs.local import LocalBlobs
from channeld.catalog.database import Database
from channeld.catalog.unavailable import CatalogUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """Which of the steps fails, counted from 0, and whether it took effect all the same."""

    step: int
    persisted: bool
    code: int = errno.EIO


@dataclass(slots=True)
class Steps:
    """Counts steps while it is armed, and has one of them fail."""

    fault: Fault | None = None
    armed: bool = False
    taken: list[str] = field(default_factory=list)
    failed: str = ""

    def arm(self, fault: Fault | None = None) -> None:
        """Count from 0, and fail at the step of ``fault``."""
        self.fault, self.armed, self.failed = fault, True, ""
        self.taken.clear()

    def disarm(self) -> None:
        self.armed = False

    def due(self, name: str) -> Fault | None:
        """Take a step; returns the fault that is to happen at it."""
        if not self.armed:
            return None
        self.taken.append(name)
        if self.fault is None or len(self.taken) - 1 != self.fault.step:
            return None
        self.failed = name
        return self.fault


class FaultyDisk(Disk):
    """A disk whose steps are counted, and fail as they are told to."""

    def __init__(self, steps: Steps | None = None) -> None:
        self.steps = steps or Steps()

    def _take(self, name: str, effect: Callable[[], T]) -> T:
        fault = self.steps.due(name)
        if fault is None:
            return effect()
        if fault.persisted:
            made = effect()
            close = getattr(made, "close", None)
            if close is not None:
                close()
        raise OSError(fault.code, os.strerror(fault.code))

    def create(self, path: Path) -> BinaryIO:
        return self._take("create", lambda: Disk.create(self, path))

    def write(self, file: BinaryIO, data: bytes) -> None:
        self._take("write", lambda: Disk.write(self, file, data))

    def fsync(self, file: BinaryIO) -> None:
        self._take("fsync", lambda: Disk.fsync(self, file))

    def rename(self, source: Path, target: Path) -> None:
        self._take("rename", lambda: Disk.rename(self, source, target))

    def unlink(self, path: Path) -> None:
        self._take("unlink", lambda: Disk.unlink(self, path))

    def fsync_folder(self, folder: Path) -> None:
        self._take("fsync folder", lambda: Disk.fsync_folder(self, folder))

    def free_bytes(self, folder: Path) -> int:
        return self._take("free bytes", lambda: Disk.free_bytes(self, folder))


class FullDisk(Disk):
    """A disk with so many bytes left."""

    def __init__(self, free: int) -> None:
        self.free = free

    def free_bytes(self, folder: Path) -> int:
        return self.free

    def write(self, file: BinaryIO, data: bytes) -> None:
        if len(data) > self.free:
            file.write(data[: self.free])  # a full disk takes what it can
            self.free = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.free -= len(data)
        super().write(file, data)


class FillingDisk(Disk):
    """A disk that is full while it is told to be, or has no room for what lies in a folder of some name."""

    full = False
    full_folder = ""

    def write(self, file: BinaryIO, data: bytes) -> None:
        if self.full or self.full_folder in Path(file.name).parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(file, data)


def make_faulty_for_threads(database: Database, blobs: LocalBlobs, steps: Steps) -> None:
    """Have what blocking code does with a catalog, and its opening of stored bytes, be steps."""
    write_now, read_now, open_blob = database.write_now, database.read_now, blobs.open

    def step(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def taken(argument: Any) -> Any:
            fault = steps.due(name)
            if fault is None:
                return work(argument)
            if fault.persisted and name.startswith("write"):
                work(argument)
            raise CatalogUnavailable(f"the {name} was made to fail")

        return taken

    database.write_now = step("write catalog", write_now)  # type: ignore[method-assign]
    database.read_now = step("read catalog", read_now)  # type: ignore[method-assign]
    blobs.open = step("open bytes", open_blob)  # type: ignore[method-assign]


def make_faulty(database: Database, steps: Steps) -> None:
    """Have reads of a catalog, and the writes that requests wait for, be steps, too."""
    submit, read_now = database.submit, database.read_now

    def faulty_submit(work: Callable[..., Any]) -> Future[Any]:
        fault = steps.due("write catalog")
        if fault is None:
            return submit(work)
        if fault.persisted:
            submit(work).result()
        failed: Future[Any] = Future()
        failed.set_exception(CatalogUnavailable("the write was made to fail"))
        return failed

    def faulty_read(work: Callable[..., Any]) -> Any:
        if steps.due("read catalog") is not None:
            raise CatalogUnavailable("the read was made to fail")
        return read_now(work)

    database.write_now = lambda work: submit(work).result()  # type: ignore[method-assign]
    database.submit = faulty_submit  # type: ignore[method-assign]
    database.read_now = faulty_read  # type: ignore[method-assign]
