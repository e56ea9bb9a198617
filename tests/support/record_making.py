"""Making records out of an index.json, without an archive around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from channeld.formats.names import FileName, Naming
from channeld.formats.record import ArtifactFacts, Record, make_record
from tests.support.packages import TIMESTAMP, index_json

MD5: Final = "0123456789abcdef" * 2
SHA256: Final = "0123456789abcdef" * 4
#: One day after the packages of the tests were built, in milliseconds.
NOW: Final = TIMESTAMP + 86_400_000

#: Values that mean "leave this key out".
ABSENT: Final = object()


def record_of(
    index: Mapping[str, Any],
    policy: Naming = Naming.STRICT,
    filename: str = "alpha-1.0-0.conda",
    now_ms: int = NOW,
) -> Record:
    facts = ArtifactFacts(FileName.parse(filename, policy), 1234, SHA256, MD5)
    return make_record(index, facts, policy, now_ms)


def record_with(
    policy: Naming = Naming.STRICT, filename: str = "alpha-1.0-0.conda", **changes: Any
) -> Record:
    """Return the record of alpha with some keys of its index.json changed, or ``ABSENT``."""
    index = {key: value for key, value in {**index_json("alpha"), **changes}.items() if value is not ABSENT}
    return record_of(index, policy, filename)


def fields_with(policy: Naming = Naming.STRICT, /, **changes: Any) -> dict[str, Any]:
    """Return the fields of that record."""
    fields: dict[str, Any] = json.loads(record_with(policy, **changes).fields)
    return fields
