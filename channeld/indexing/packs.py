"""Packs: files of immutable pieces, each named by its hash and found by (pack, offset, length).

One render writes one pack: everything new in it, made durable once, before the pointer moves. A pack's name carries
a nonce, so that two writers never write to the same one. Whatever is read is checked against its hash; damage raises
``PieceDamaged`` and is never passed on.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from channeld.blobs.durable import Disk, Pending, disk_errors
from channeld.errors import Unavailable
from channeld.indexing.pagetable import Place

SUFFIX = ".pack"
_OPEN_PACKS = 128


@dataclass(eq=False)
class PieceDamaged(Unavailable):
    """Stored bytes are not what was written: missing, cut short, or changed."""

    pack: str
    start: int
    problem: str

    advice: ClassVar[str] = "The view is rebuilt from the catalog; look at the disk."

    def sentence(self) -> str:
        return f"The piece at byte {self.start} of the pack {self.pack} is damaged: {self.problem}."


class PackWriter:
    """Collects the new pieces of one render; equal bytes are stored once."""

    def __init__(self, disk: Disk, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder
        with disk_errors(folder):
            disk.make_folder(folder)
        self._pending = Pending(disk, folder)
        self._places: dict[bytes, Place] = {}

    def add(self, data: bytes) -> Place:
        """Store a piece and say where it lies."""
        sha256 = hashlib.sha256(data).digest()
        place = self._places.get(sha256)
        if place is None:
            place = Place(self.name, self._pending.size, len(data), sha256)
            self._pending.write(data)
            self._places[sha256] = place
        return place

    def read(self, place: Place) -> bytes:
        """Read back a piece of this pack before it has its name."""
        self._pending.file.flush()
        return os.pread(self._pending.file.fileno(), place.size, place.start)

    @property
    def size(self) -> int:
        return self._pending.size

    def commit(self) -> None:
        """Make everything durable; nothing may be added afterwards. An empty pack leaves no file."""
        if self._pending.size:
            self._pending.commit(self._folder / (self.name + SUFFIX))
        else:
            self._pending.discard()

    def discard(self) -> None:
        """Forget everything."""
        self._pending.discard()


class Packs:
    """The packs of one data directory. Safe for several threads; calls block on the disk."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.folder = folder
        self.disk = disk or Disk()
        self._open: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def writer(self, name: str) -> PackWriter:
        """Start a pack of a name that nobody else uses."""
        return PackWriter(self.disk, self.folder, name)

    def read(self, place: Place) -> bytes:
        """Read one piece, checked against its hash.

        Raises:
            PieceDamaged: it is not there as it was written.
        """
        with self._lock:
            # reading under the lock keeps another thread from closing the descriptor; a page read is microseconds
            data = os.pread(self._descriptor(place), place.size, place.start)
        if hashlib.sha256(data).digest() != place.sha256:
            problem = "it is cut short" if len(data) < place.size else "its bytes have changed"
            raise PieceDamaged(place.pack, place.start, problem)
        return data

    def _descriptor(self, place: Place) -> int:
        descriptor = self._open.get(place.pack)
        if descriptor is not None:
            self._open.move_to_end(place.pack)
            return descriptor
        try:
            descriptor = os.open(self.folder / (place.pack + SUFFIX), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise PieceDamaged(place.pack, place.start, "the pack is missing") from None
        self._open[place.pack] = descriptor
        if len(self._open) > _OPEN_PACKS:
            os.close(self._open.popitem(last=False)[1])
        return descriptor

    def names(self) -> list[str]:
        """List the packs that are there."""
        if not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob(f"*{SUFFIX}"))

    def delete(self, name: str) -> None:
        """Remove a pack that no table refers to."""
        with self._lock:
            descriptor = self._open.pop(name, None)
            if descriptor is not None:
                os.close(descriptor)
        with disk_errors(self.folder):
            self.disk.unlink(self.folder / (name + SUFFIX))

    def close(self) -> None:
        """Let go of every open pack."""
        with self._lock:
            while self._open:
                os.close(self._open.popitem()[1])
