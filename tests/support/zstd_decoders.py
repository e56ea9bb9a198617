"""Every way in which the decoders that Python has take a zstd frame apart."""

from __future__ import annotations

import io
import sys

import zstandard

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def _zstandard_one_shot(frame: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)


def _zstandard_stream_reader(frame: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame), read_size=4_099) as reader:
        return reader.read()


def _zstandard_decompressobj(frame: bytes) -> bytes:
    decoder = zstandard.ZstdDecompressor().decompressobj()
    decoded = b"".join(decoder.decompress(frame[at : at + 997]) for at in range(0, len(frame), 997))
    assert decoder.eof
    assert decoder.unused_data == b""
    return decoded


def _zstandard_stream_writer(frame: bytes) -> bytes:
    decoded = io.BytesIO()
    with zstandard.ZstdDecompressor().stream_writer(decoded, closefd=False) as writer:
        writer.write(frame)
    return decoded.getvalue()


def _stdlib_one_shot(frame: bytes) -> bytes:
    decoder = zstd.ZstdDecompressor()
    decoded = decoder.decompress(frame)
    assert decoder.eof
    assert decoder.unused_data == b""
    return decoded


def _stdlib_file(frame: bytes) -> bytes:
    with zstd.ZstdFile(io.BytesIO(frame)) as file:
        return file.read()


#: By name. "stdlib" is compression.zstd, or its backport: what conda reads with.
DECODERS = {
    "zstandard one-shot": _zstandard_one_shot,
    "zstandard stream_reader": _zstandard_stream_reader,
    "zstandard decompressobj": _zstandard_decompressobj,
    "zstandard stream_writer": _zstandard_stream_writer,
    "stdlib one-shot": _stdlib_one_shot,
    "stdlib ZstdFile": _stdlib_file,
}
