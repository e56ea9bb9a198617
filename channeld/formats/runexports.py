"""``run_exports.json``: what a package makes those that are built with it depend on (CEP 12, CEP 21).

It covers every file of the unpatched repodata: one without run_exports has an empty entry. Of ``info`` conda-index
writes the subdir and ``version`` 1; CEP 12's example has ``platform`` and ``arch`` too, and version 0, but the names
of subdirs do not divide cleanly (``noarch``), and no client reads either.

There is no ``v3`` here: the document tells nothing that old clients misread, so files that repodata.json has under
``v3`` stand in the section of their extension, under their whole name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from channeld.formats.layout import Layout, canonical_json, entry

RUN_EXPORTS_VERSION: Final = 1
RUN_EXPORTS_SECTIONS: Final = ("packages", "packages.conda")

#: Section of repodata.json → section here.
SECTION_OF: Final[Mapping[str, str]] = {
    "packages": "packages",
    "packages.conda": "packages.conda",
    "v3.conda": "packages.conda",
    "v3.tar.bz2": "packages",
}

_KINDS: Final = ("noarch", "strong", "strong_constrains", "weak", "weak_constrains")


def run_exports_layout(subdir: str) -> Layout:
    """Lay out the run_exports.json of a subdir."""
    info = canonical_json({"subdir": subdir, "version": RUN_EXPORTS_VERSION})
    return Layout(
        RUN_EXPORTS_SECTIONS,
        (b'{"info":' + info + b',\n"packages":{\n', b'\n},\n"packages.conda":{\n', b"\n}}\n"),
    )


def run_exports_entry(filename: str, run_exports_json: bytes) -> bytes:
    """Write the entry of a file, given what ``normal_run_exports`` made of it, as JSON; ``{}`` for none."""
    return entry(filename, b'{"run_exports":' + run_exports_json + b"}")


def normal_run_exports(run_exports: object) -> dict[str, Any]:
    """Bring run_exports, as recipes of all ages wrote them, into the form of CEP 12: kind → list of match specs.

    A bare list or text is ``weak`` (CEP 34). Kinds without specs are left out, and so is what
    is not a kind, such as ``schema_version``, which speaks of the file in the package.
    """
    if isinstance(run_exports, str | list):
        run_exports = {"weak": run_exports}
    if not isinstance(run_exports, Mapping):
        return {}
    specs = {kind: _specs(run_exports.get(kind)) for kind in _KINDS}
    return {kind: found for kind, found in specs.items() if found}


def _specs(value: object) -> list[str]:
    specs = value if isinstance(value, list) else [value]
    return [spec for spec in specs if isinstance(spec, str) and spec]
