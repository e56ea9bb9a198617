"""What a copy request calls an output: ``<subdir>/<name>-<version>-<build>.<extension>``. Pure.

conda-forge-webservices takes whatever has one slash and two dashes; here the parts have to be what their names say
besides, by the rules for packages that have been published already (CEP 26, ``Naming.LEGACY``). What breaks any rule is
told in its words.
"""

from __future__ import annotations

from dataclasses import dataclass

from channeld.formats.names import FileName, Naming, check_subdir
from channeld.formats.rejections import BadName


@dataclass(frozen=True, slots=True)
class DistName:
    """A file, by its subdir and its name."""

    subdir: str
    file: FileName

    @classmethod
    def parse(cls, text: str) -> DistName | None:
        """Divide the key of a copy request; None where it names no file, of which ``malformed`` tells."""
        subdir, slash, filename = text.partition("/")
        try:
            return cls(check_subdir(subdir), FileName.parse(filename, Naming.LEGACY)) if slash else None
        except BadName:
            return None

    def __str__(self) -> str:
        return f"{self.subdir}/{self.file}"


def malformed(text: str) -> str:
    """Say what is wrong with a key that names no file, in conda-forge-webservices' words."""
    return (
        f"output '{text}' is not correctly formatted (it must be the fully "
        "qualified name w/ extension, `noarch/blah-fa31b0-2020.04.13.15.54.07-py_0.conda`)"
    )
