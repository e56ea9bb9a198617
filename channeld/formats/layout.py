"""How a JSON document is laid out around its entries: sections of sorted entries, and the fixed text between them.

Every large document is the same shape: a few sections, each with its entries in key order, and between the
sections text that hardly ever changes (the *glue*). So a document can be written, compared and compressed in runs of
neighbouring entries, and nobody has to hold all of it. For every layout::

    document = glue[0] + ",\\n".join(entries of sections[0]) + glue[1] + … + glue[-1]

An entry stands on one line, so that a diff of two documents reads as a diff of their entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import orjson

#: Stands between two entries of a section.
SEPARATOR: Final = b",\n"


def canonical_json(value: Any) -> bytes:
    """Write a value as compact UTF-8 JSON with its keys sorted at every level: the same value, the same bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def entry(key: str, value_json: bytes) -> bytes:
    """Write one entry of a section that maps keys to values. The value is JSON already and is not looked at."""
    return orjson.dumps(key) + b":" + value_json


@dataclass(frozen=True, slots=True)
class Layout:
    """The sections of a document in their order, and the text before, between and after them."""

    sections: tuple[str, ...]
    glue: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if len(self.glue) != len(self.sections) + 1:
            raise ValueError(
                f"{len(self.sections)} sections need one more piece of glue, not {len(self.glue)}"
            )

    def assemble(self, entries: Mapping[str, Iterable[bytes]]) -> bytes:
        """Write the whole document. Entries come in key order; a section that is not given is empty.

        Raises:
            ValueError: entries for a section that the layout does not have.
        """
        if stray := entries.keys() - set(self.sections):
            raise ValueError(f"no section called {sorted(stray)} among {self.sections}")
        filled = (SEPARATOR.join(entries.get(section, ())) for section in self.sections)
        return self.glue[0] + b"".join(chain.from_iterable(zip(filled, self.glue[1:], strict=True)))
