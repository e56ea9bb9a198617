"""What documents and subdirs are, in a few words for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: Documents of a subdir and of a channel.
DOCUMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "repodata.json": "every package and what it needs, patches applied",
        "repodata.json.zst": "the same, compressed with Zstandard",
        "repodata_shards.msgpack.zst": "index of the sharded repodata (CEP 16)",
        "repodata_from_packages.json": "as the packages say it, before patches",
        "repodata_from_packages.json.zst": "the same, compressed with Zstandard",
        "current_repodata.json": "the newest versions and what they need",
        "current_repodata.json.zst": "the same, compressed with Zstandard",
        "run_exports.json": "run exports of every package (CEP 12)",
        "run_exports.json.zst": "the same, compressed with Zstandard",
        "patch_instructions.json": "the patches in force",
        "channeldata.json": "one summary for each package name",
        "last-updated.json": "revision and time of every subdir",
        "notices.json": "messages that conda shows to users",
        "rss.xml": "feed of the newest packages",
    }
)

#: The subdirs that conda knows; what is not here speaks for itself.
PLATFORMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "noarch": "every platform",
        "emscripten-wasm32": "WebAssembly, Emscripten",
        "wasi-wasm32": "WebAssembly, WASI",
        "freebsd-64": "FreeBSD, x86-64",
        "linux-32": "Linux, x86 (32-bit)",
        "linux-64": "Linux, x86-64",
        "linux-aarch64": "Linux, ARM64",
        "linux-armv6l": "Linux, ARMv6",
        "linux-armv7l": "Linux, ARMv7",
        "linux-ppc64": "Linux, POWER (big-endian)",
        "linux-ppc64le": "Linux, POWER",
        "linux-riscv64": "Linux, RISC-V",
        "linux-s390x": "Linux, IBM Z",
        "osx-64": "macOS, Intel",
        "osx-arm64": "macOS, Apple silicon",
        "win-32": "Windows, x86 (32-bit)",
        "win-64": "Windows, x86-64",
        "win-arm64": "Windows, ARM64",
        "zos-z": "z/OS, IBM Z",
    }
)
