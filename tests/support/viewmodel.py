"""What a channel has to show, kept in plain dicts: the expected documents of every view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from channeld.catalog.files import Artifact
from channeld.formats.current import current_repodata

Documents = dict[str, Any]


@dataclass(slots=True)
class FileModel:
    """One file of a channel."""

    artifact: Artifact
    #: Label → when the file first carried it.
    entered: dict[str, int] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)
    deleted: bool = False

    @property
    def broken(self) -> bool:
        return "broken" in self.carried

    def put(self, labels: set[str], now_ms: int) -> None:
        for label in labels:
            self.entered.setdefault(label, now_ms)
        self.carried |= labels


@dataclass(slots=True)
class ChannelModel:
    """A channel: its files in the order in which they came."""

    standard: bool = True
    files: list[FileModel] = field(default_factory=list)

    def views(self) -> set[tuple[str, str]]:
        """Name the views that something ever was in, and the channel-level ones, as (label, subdir)."""
        found = {(label, file.artifact.subdir) for file in self.files for label in file.entered}
        return found | {(label, "") for label, _ in found}

    def documents(self, label: str, subdir: str) -> Documents:
        """Return the documents of a view."""
        if subdir == "":
            return {"channeldata.json": self._channeldata(label)}
        chosen = self._chosen(label, subdir)
        shown = {name: file for name, file in chosen.items() if self._shows(file, label)}
        labelled = {name: file for name, file in chosen.items() if label in file.carried}
        removed = sorted(set(chosen) - set(shown)) if self.standard else []
        repodata = _repodata(shown, label, subdir, removed)
        return {
            "repodata.json": repodata,
            "repodata_from_packages.json": _repodata(labelled, label, subdir, []),
            "run_exports.json": _run_exports(labelled, subdir),
            "current_repodata.json": _current(repodata),
            "repodata_shards.msgpack.zst": _shards(chosen, shown, label, removed),
        }

    def _chosen(self, label: str, subdir: str) -> dict[str, FileModel]:
        """Of candidates under one name: one that carries the label, is not broken, and is the newest, in this order."""
        chosen: dict[str, FileModel] = {}
        ranked = sorted(
            enumerate(self.files),
            key=lambda item: (label in item[1].carried, not item[1].broken, item[0]),
        )
        for _, file in ranked:
            if label in file.entered and file.artifact.subdir == subdir:
                chosen[file.artifact.filename] = file
        return dict(sorted(chosen.items()))

    def _shows(self, file: FileModel, label: str) -> bool:
        return label in file.carried and (label == "broken" or not file.broken)

    def _channeldata(self, label: str) -> Documents:
        subdirs = sorted({subdir for known, subdir in self.views() if known == label and subdir})
        packages: dict[str, Any] = {}
        for subdir in subdirs:
            for file in self._chosen(label, subdir).values():
                if self._shows(file, label):
                    packages.setdefault(file.artifact.name, set()).add((subdir, file.artifact.version))
        return {
            name: {
                "subdirs": sorted({subdir for subdir, _ in found}),
                "version": max(version for _, version in found),
            }
            for name, found in packages.items()
        } | {"/subdirs": subdirs}


def _record(file: FileModel, label: str) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(file.artifact.record)
    return {**record, "indexed_timestamp": file.entered[label]}


def _keyed(files: dict[str, FileModel], label: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for filename, file in files.items():
        section = file.artifact.section
        key = filename.removesuffix(section[2:]) if section.startswith("v3") else filename
        yield section, key, _record(file, label)


def _repodata(files: dict[str, FileModel], label: str, subdir: str, removed: list[str]) -> Documents:
    document: Documents = {
        "info": {"subdir": subdir},
        "packages": {},
        "packages.conda": {},
        "removed": removed,
        "repodata_version": 1,
    }
    v3: Documents = {}
    for section, key, record in _keyed(files, label):
        if section.startswith("v3"):
            v3.setdefault(section[3:], {})[key] = record
        else:
            document[section][key] = record
    if v3:
        document["v3"] = {"conda": {}, "tar.bz2": {}, **v3}
        times = [record["indexed_timestamp"] for records in v3.values() for record in records.values()]
        revision = {"n_packages": len(times), "oldest": min(times), "newest": max(times)}
        document["info"]["repodata_revisions"] = {"v3": revision}
    return document


def _run_exports(files: dict[str, FileModel], subdir: str) -> Documents:
    document: Documents = {"info": {"subdir": subdir, "version": 1}, "packages": {}, "packages.conda": {}}
    for filename, file in files.items():
        section = "packages.conda" if filename.endswith(".conda") else "packages"
        document[section][filename] = {"run_exports": orjson.loads(file.artifact.run_exports)}
    return document


def _current(repodata: Documents) -> Documents:
    sections = ("packages", "packages.conda")
    kept = current_repodata({section: repodata[section].items() for section in sections})
    document = {key: value for key, value in repodata.items() if key != "v3"}
    document["info"] = {"subdir": repodata["info"]["subdir"]}
    for section in sections:
        document[section] = {name: one for name, one in repodata[section].items() if name in kept}
    for name, record in list(document["packages.conda"].items()):
        twin = repodata["packages"].get(name.removesuffix(".conda") + ".tar.bz2")
        if twin is not None:
            document["packages.conda"][name] = {**record, "legacy_bz2_md5": twin["md5"]}
    return document


def _shards(
    chosen: dict[str, FileModel], shown: dict[str, FileModel], label: str, removed: list[str]
) -> Documents:
    shards: Documents = {}
    for filename, file in shown.items():
        shard = shards.setdefault(file.artifact.name, {"packages": {}, "packages.conda": {}})
        ((section, key, record),) = _keyed({filename: file}, label)
        record["run_exports"] = orjson.loads(file.artifact.run_exports)
        shard.setdefault(section, {})[key] = record
    return {
        name: (sections, [each for each in removed if chosen[each].artifact.name == name])
        for name, sections in shards.items()
    }


def as_seen(documents: Documents) -> Documents:
    """Bring published documents into the form of the model's: what it says nothing of is left out."""
    found = dict(documents)
    if shards := found.get("repodata_shards.msgpack.zst"):
        found["repodata_shards.msgpack.zst"] = {
            name: (shard.sections, list(shard.removed)) for name, shard in shards["shards"].items()
        }
    if channeldata := found.get("channeldata.json"):
        found["channeldata.json"] = {
            name: {key: entry[key] for key in ("subdirs", "version")}
            for name, entry in channeldata["packages"].items()
        } | {"/subdirs": channeldata["subdirs"]}
    return found
