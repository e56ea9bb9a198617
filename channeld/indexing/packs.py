"""Packs: files of immutable pieces, each named by its hash and found by (pack, offset, length).

One render writes one pack: everything new in it, made durable once, before the pointer moves. A pack's name carries
a nonce, so that two writers never write to the same one. Whatever is read is checked against its hash; damage raises
``PieceDamaged`` and is never passed on.

A piece keeps the place it was given for ever, though its bytes may move: packs that are mostly dead are merged, and the
merged pack says of each piece for which place it answers (see ``packindex``). So nobody who wrote a place down has to
be told.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Self

from channeld.blobs.durable import Disk, DiskFull, DiskUnavailable, Pending, disk_errors
from channeld.errors import Unavailable
from channeld.indexing.packindex import StoredPiece, read_index, write_index
from channeld.indexing.pagetable import Place

SUFFIX: Final = ".pack"
_OPEN_PACKS: Final = 128


@dataclass(eq=False)
class PieceDamaged(Unavailable):
    """Stored bytes are not what was written: missing, cut short, or changed."""

    pack: str
    start: int
    problem: str

    advice: ClassVar[str] = "The view is rebuilt from the catalog; look at the disk."

    def sentence(self) -> str:
        return f"The piece at byte {self.start} of the pack {self.pack} is damaged: {self.problem}."


@dataclass(frozen=True, slots=True, order=True)
class PackName:
    """What the name of a pack tells: for which channel it was begun, and when."""

    channel_id: int
    made_ms: int
    #: Epoch of the lease under which it was written.
    epoch: int
    nonce: str
    #: It holds pieces that other packs were begun with.
    merged: bool = False

    @classmethod
    def new(cls, channel_id: int, made_ms: int, epoch: int, *, merged: bool = False) -> Self:
        """Make a name that nobody else makes."""
        return cls(channel_id, made_ms, epoch, secrets.token_hex(6), merged)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a name; None for a file that is not ours."""
        parts = text.split("-")
        if len(parts) != 4 or not all(part.isdecimal() for part in parts[:3]) or not parts[3]:
            return None
        merged = parts[3].startswith("m")
        return cls(int(parts[0]), int(parts[1]), int(parts[2]), parts[3].removeprefix("m"), merged)

    def __str__(self) -> str:
        kind = "m" if self.merged else ""
        return f"{self.channel_id}-{self.made_ms:013d}-{self.epoch}-{kind}{self.nonce}"


class PackWriter:
    """Collects the new pieces of one render; equal bytes are stored once. No file is made for no piece."""

    def __init__(self, disk: Disk, folder: Path, name: str) -> None:
        self.name = name
        self._disk = disk
        self._folder = folder
        self._pending: Pending | None = None
        self._places: dict[bytes, Place] = {}
        self._moved: dict[tuple[str, int], StoredPiece] = {}
        self._done = False

    def add(self, data: bytes) -> Place:
        """Store a piece and say where it lies.

        Raises:
            DiskFull, DiskUnavailable: it could not be written.
        """
        if self._done:
            raise RuntimeError("The pack has been closed.")
        sha256 = hashlib.sha256(data).digest()
        place = self._places.get(sha256)
        if place is None:
            with self._told_of_folder():
                pending = self._begun()
                place = Place(self.name, pending.size, len(data), sha256)
                pending.write(data)
            self._places[sha256] = place
        return place

    def take_over(self, place: Place, data: bytes) -> None:
        """Store a piece that answers for a place in another pack; merged packs have no other ones."""
        self._moved[place.pack, place.start] = StoredPiece(place, self.add(data).start)

    def _begun(self) -> Pending:
        if self._pending is None:
            with disk_errors(self._folder):
                self._disk.make_folder(self._folder)
            self._pending = Pending(self._disk, self._folder)
        return self._pending

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._pending.size if self._pending is not None else 0

    def commit(self) -> None:
        """Make everything durable; nothing may be added afterwards."""
        self._done = True
        if self._pending is not None:
            with self._told_of_folder():
                self._pending.write(write_index(self.pieces()))
                self._pending.commit(self._folder / (self.name + SUFFIX))

    @contextmanager
    def _told_of_folder(self) -> Iterator[None]:
        """Name the folder when the disk fails: the file has another name at each try, and trouble is told once."""
        try:
            yield
        except (DiskFull, DiskUnavailable) as error:
            error.path = str(self._folder)
            raise

    def pieces(self) -> list[StoredPiece]:
        """List what is in it, by the places that it answers for."""
        own = [StoredPiece(place, place.start) for place in self._places.values()]
        return list(self._moved.values()) if self._moved else own

    def discard(self) -> None:
        """Forget everything. Does nothing after a commit."""
        self._done = True
        if self._pending is not None:
            self._pending.discard()


class _OpenPack:
    """A file descriptor that lives as long as somebody reads from it, whoever forgets it meanwhile."""

    __slots__ = ("descriptor",)

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class Packs:
    """The packs of one data directory. Safe for several threads; calls block on the disk."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.folder = folder
        self.disk = disk or Disk()
        self._open: OrderedDict[str, _OpenPack] = OrderedDict()
        self._moved: dict[tuple[str, int], tuple[str, int]] = {}
        self._known_merged: set[str] = set()
        self._lock = threading.Lock()

    def writer(self, name: PackName) -> PackWriter:
        """Start a pack of a name that nobody else uses."""
        return PackWriter(self.disk, self.folder, str(name))

    def read(self, place: Place) -> bytes:
        """Read one piece, checked against its hash.

        Raises:
            PieceDamaged: it is not there as it was written.
            DiskUnavailable: the file system did not let us look.
        """
        data = self._read(place)
        if hashlib.sha256(data).digest() != place.sha256:
            problem = "it is cut short" if len(data) < place.size else "its bytes have changed"
            raise PieceDamaged(place.pack, place.start, problem)
        return data

    def _read(self, place: Place) -> bytes:
        opened, start = self._locate(place)
        with disk_errors(self.folder / (place.pack + SUFFIX)):
            try:
                return os.pread(opened.descriptor, place.size, start)
            except OSError as error:
                if error.errno == errno.EIO:  # the disk has lost it
                    raise PieceDamaged(place.pack, place.start, "it cannot be read") from error
                raise

    def _locate(self, place: Place) -> tuple[_OpenPack, int]:
        """Find the file a piece lies in now: the pack it was written to, or the one that took over what lived."""
        found = self._merged(place)
        if found is None and (opened := self._opened(place.pack)) is not None:
            found = opened, place.start
        if found is None:
            self.find_merged()
            found = self._merged(place)
        if found is None:
            raise PieceDamaged(place.pack, place.start, "the pack is missing")
        return found

    def _merged(self, place: Place) -> tuple[_OpenPack, int] | None:
        pack, start = self._moved.get((place.pack, place.start), ("", 0))
        opened = self._opened(pack) if pack else None
        return (opened, start) if opened is not None else None

    def _opened(self, name: str) -> _OpenPack | None:
        with self._lock:
            opened = self._open.get(name)
            if opened is not None:
                self._open.move_to_end(name)
                return opened
        path = self.folder / (name + SUFFIX)
        with disk_errors(path):
            try:
                opened = _OpenPack(path)
            except FileNotFoundError:
                return None
        with self._lock:
            self._open[name] = opened
            if len(self._open) > _OPEN_PACKS:
                self._open.popitem(last=False)
        return opened

    def find_merged(self) -> None:
        """Learn what the merged packs in the folder answer for, those that are not known yet."""
        for name in self.names():
            parsed = PackName.parse(name)
            if parsed is not None and parsed.merged and name not in self._known_merged:
                self.took_over(name, self.pieces_of(name) or ())

    def took_over(self, name: str, pieces: Iterable[StoredPiece]) -> None:
        """Note what a merged pack answers for."""
        with self._lock:
            for piece in pieces:
                self._moved[piece.place.pack, piece.place.start] = name, piece.start
            self._known_merged.add(name)

    def pieces_of(self, name: str) -> list[StoredPiece] | None:
        """List the pieces of a pack; None when its index is gone or damaged."""
        return read_index(self.folder / (name + SUFFIX))

    def answers(self, name: str, piece: StoredPiece) -> bool:
        """Tell whether a piece is read from this pack, and not from another one that has it too."""
        place = piece.place
        return self._moved.get((place.pack, place.start), (place.pack, 0))[0] == name

    def names(self) -> list[str]:
        """List the packs that are there."""
        if not self.folder.is_dir():
            return []
        return sorted(
            entry.name.removesuffix(SUFFIX)
            for entry in os.scandir(self.folder)
            if entry.name.endswith(SUFFIX)
        )

    def size_of(self, name: str) -> int:
        """Return the bytes of a pack, 0 when it is not there."""
        try:
            return (self.folder / (name + SUFFIX)).stat().st_size
        except FileNotFoundError:
            return 0

    def delete(self, name: str) -> None:
        """Remove a pack that no table refers to, or whose pieces another one has taken over."""
        with self._lock:
            self._open.pop(name, None)
            if name in self._known_merged:
                self._known_merged.discard(name)
                self._moved = {place: to for place, to in self._moved.items() if to[0] != name}
        with disk_errors(self.folder):
            self.disk.unlink(self.folder / (name + SUFFIX))

    def close(self) -> None:
        """Let go of every open pack."""
        with self._lock:
            self._open.clear()
