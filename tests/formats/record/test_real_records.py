"""Tens of thousands of published records, taken as index.json, come out as they are, but for the stated differences."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from channeld.formats.names import FileName, Naming
from channeld.formats.record import ArtifactFacts, make_record

#: After all of them were built, in milliseconds.
NOW: Final = 1_795_000_000_000

#: What is not the artifact's to say, or of no use (the table in ``channeld.formats.record``).
DROPPED: Final = {"arch", "platform", "channel", "fn", "url"}


def records(folder: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(folder.rglob("*.json")):
        document = json.loads(path.read_bytes())
        for section in ("packages", "packages.conda"):
            for filename, record in document.get(section, {}).items():
                found[f"{path}/{filename}"] = record
    return found


def differences(record: dict[str, Any], name: str, policy: Naming) -> set[str]:
    filename = FileName.parse(name.rpartition("/")[2], policy)
    facts = ArtifactFacts(filename, record["size"], record.get("sha256", ""), record.get("md5", ""))
    made = make_record(record, facts, policy, NOW)
    assert not made.section.is_v3
    ours = json.loads(made.fields)
    return {
        f"{key} {record.get(key)!r}" if key != "timestamp" else key
        for key in record.keys() | ours.keys()
        if record.get(key) != ours.get(key) and key not in DROPPED
    }


def test_they_come_out_as_they_are(test_data: Path) -> None:
    counts: Counter[str] = Counter()
    for name, record in records(test_data / "repodata").items():
        for policy in Naming:
            found = differences(record, name, policy)
            assert found <= {"timestamp", "track_features ''", "depends None"}, name
            counts.update(found)
            if "timestamp" in found:
                assert record["timestamp"] < 10**11
            counts["records"] += 1
    assert counts["records"] > 60_000
    assert counts["timestamp"] > 0
