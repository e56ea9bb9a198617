"""An upload of 200 MB takes no more memory than a small one: less than 64 MB over an idle server."""

from __future__ import annotations

import hashlib
import http.client
import io
import struct
import tarfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from tests.support.packages import build_conda, index_json, info_files, tar_bytes, zstd
from tests.support.process import Serve

SIZE = 200 * 1024 * 1024
MIB = 1024 * 1024


class LargePackage:
    """A .conda whose payload is 200 MiB of zeros in raw zstd blocks, made while it is sent."""

    def __init__(self) -> None:
        stem = "large-1.0-0"
        header = tarfile.TarInfo("share/large")
        header.size = SIZE
        tar: list[bytes | int] = [header.tobuf(tarfile.USTAR_FORMAT), SIZE, bytes(1024)]
        self.payload = list(_raw_frame(tar))
        info = zstd(tar_bytes(info_files(index_json("large"), {"share/large": b""})))
        self.members = [
            ("metadata.json", [b'{"conda_pkg_format_version": 2}']),
            (f"pkg-{stem}.tar.zst", self.payload),
            (f"info-{stem}.tar.zst", [info]),
        ]

    def chunks(self) -> Iterator[bytes]:
        offset, directory = 0, b""
        for name, data in self.members:
            size = sum(map(len, data))
            crc = 0
            for chunk in data:
                crc = zlib.crc32(chunk, crc)
            fields = struct.pack("<5H3I2H", 20, 0, 0, 0, 0x21, crc, size, size, len(name), 0)
            local = b"PK\x03\x04" + fields + name.encode()
            directory += b"PK\x01\x02" + struct.pack("<H", 0x0314) + fields[:-2]
            directory += struct.pack("<4H2I", 0, 0, 0, 0, 0o100644 << 16, offset) + name.encode()
            yield local
            yield from data
            offset += len(local) + size
        end = struct.pack("<4H2IH", 0, 0, 3, 3, len(directory), offset, 0)
        yield directory + b"PK\x05\x06" + end


def _raw_frame(parts: list[bytes | int]) -> Iterator[bytes]:
    """Yield a zstd frame of raw blocks (RFC 8878, 3.1.1.2.2); a number stands for so many zeros."""
    yield b"\x28\xb5\x2f\xfd\x00\x58"
    zeros = ((128 * 1024) << 3).to_bytes(3, "little") + bytes(128 * 1024)
    for part in parts:
        if isinstance(part, int):
            yield from [zeros] * (part // (128 * 1024))
        else:
            yield (len(part) << 3).to_bytes(3, "little") + part
    yield b"\x01\x00\x00"


def test_the_package_is_what_it_seems() -> None:
    frame = b"".join(LargePackage().payload[:20]) + b"\x01\x00\x00"
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame))
    assert tarfile.TarInfo.frombuf(reader.read(512), "utf-8", "strict").size == SIZE


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
def test_a_large_upload_and_download_take_little_memory(tmp_path: Path, *, chunked: bool) -> None:
    package = LargePackage()
    hashing, size = hashlib.sha256(), 0
    for chunk in package.chunks():
        hashing.update(chunk)
        size += len(chunk)
    assert size > SIZE
    with Serve(tmp_path) as server:
        server.read_welcome()
        server.create_channel()
        # what the first upload and the first publication load stays loaded
        assert server.upload("small-1.0-0.conda", build_conda("small")) == 201
        server.wait_for("small-1.0-0.conda")
        memory = Memory(server.process.pid)

        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        headers = {"Authorization": f"Bearer {server.token}"}
        if not chunked:
            headers["Content-Length"] = str(size)
        with memory:
            connection.request(
                "PUT", "/chan/noarch/large-1.0-0.conda", package.chunks(), headers, encode_chunked=chunked
            )
            answer = connection.getresponse()
            answer.read()
        assert answer.status == 201
        assert memory.grown < 64 * MIB

        server.wait_for("large-1.0-0.conda")
        with memory:
            connection.request("GET", "/chan/noarch/large-1.0-0.conda")
            answer = connection.getresponse()
            received = hashlib.sha256()
            while data := answer.read(MIB):
                received.update(data)
        connection.close()
        assert received.digest() == hashing.digest()
        assert memory.grown < 64 * MIB


class Memory:
    """How much the resident memory of a process grew at most while this was entered, in bytes."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._idle = self._resident()
        self._most = 0
        self._done = threading.Event()

    @property
    def grown(self) -> int:
        return self._most - self._idle

    def _resident(self) -> int:
        lines = self._status.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

    def _watch(self) -> None:
        while not self._done.is_set():
            self._most = max(self._most, self._resident())
            time.sleep(0.01)

    def __enter__(self) -> None:
        self._done.clear()
        self._most = 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def __exit__(self, *_exception: object) -> None:
        self._done.set()
        self._thread.join()
