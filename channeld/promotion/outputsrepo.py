"""The registry of outputs as conda-forge keeps it: the repository ``feedstock-outputs``, as files. Pure.

    outputs/n/u/m/numpy.json                   {"feedstocks": ["numpy"]}
    feedstock_outputs_autoreg_allowlist.yml    feedstock → list of globs
    config.json                                where the files are, and how deep

``read`` and ``write`` take and give whole repositories, as mappings from paths to bytes. ``changes`` gives only what
has to be written so that a repository says what a registry says: files that say it already keep their bytes, comments
and all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final

import orjson
import yaml

from channeld.errors import Rejected
from channeld.formats.names import Naming, check_package_name
from channeld.formats.rejections import BadName
from channeld.promotion.outputs import Globs, Registry

CONFIG: Final = "config.json"
ALLOWLIST: Final = "feedstock_outputs_autoreg_allowlist.yml"

_HEADER: Final = b"""\
# The globs that the names of a feedstock's new outputs may match. What matches is registered with its first copy.
# A glob means what Python's fnmatch module says.
"""
#: libyaml's parser where there is one. Events only: nothing is built, and aliases are refused.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(eq=False)
class RegistryFileMalformed(Rejected):
    """A file of the repository is not what its place says. ``problem`` completes "It …"."""

    path: str
    problem: str

    advice: ClassVar[str] = "Correct it in the repository, and import again."

    def sentence(self) -> str:
        return f"{self.path!r} cannot be read: it {self.problem}."


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the files of outputs are (``config.json``)."""

    folder: str = "outputs"
    level: int = 3
    fill: str = "z"

    @classmethod
    def parse(cls, data: bytes) -> Layout:
        """Read ``config.json``; what it does not say is as at conda-forge. Raises ``RegistryFileMalformed``."""
        value = _json_object(CONFIG, data)
        usual = cls()
        layout = cls(
            value.get("outputs_path", usual.folder),
            value.get("shard_level", usual.level),
            value.get("shard_fill", usual.fill),
        )
        if not isinstance(layout.folder, str) or not layout.folder.strip("/"):
            raise RegistryFileMalformed(CONFIG, "has no text as its outputs_path")
        if not {"", ".", ".."}.isdisjoint(layout.folder.strip("/").split("/")) or "\0" in layout.folder:
            raise RegistryFileMalformed(CONFIG, "has no folder of the repository as its outputs_path")
        if type(layout.level) is not int or not 0 <= layout.level <= 16:
            raise RegistryFileMalformed(CONFIG, "has no number from 0 to 16 as its shard_level")
        if not isinstance(layout.fill, str) or len(layout.fill) != 1 or not layout.fill.isalnum():
            raise RegistryFileMalformed(CONFIG, "has no letter as its shard_fill")
        return layout

    def path_of(self, output: str) -> str:
        """Say where the file of an output is; raises ``BadName`` for what is no name of a package."""
        name = check_package_name(output, Naming.LEGACY).lower()
        letters = [letter for letter in name if letter.isalnum()][: self.level]
        letters += [self.fill] * (self.level - len(letters))
        return "/".join((self.folder.strip("/"), *letters, f"{name}.json"))

    def holds(self, path: str) -> bool:
        """Tell whether a path is that of an output's file, or should be."""
        return path.startswith(f"{self.folder.strip('/')}/") and path.endswith(".json")


def layout_of(files: Mapping[str, bytes]) -> Layout:
    """Return the layout that a repository declares, conda-forge's where it declares none."""
    return Layout.parse(files[CONFIG]) if CONFIG in files else Layout()


def read(files: Mapping[str, bytes]) -> Registry:
    """Read a repository. Files that are none of the registry's are passed over.

    Raises:
        RegistryFileMalformed: one of the registry's cannot be read, or is not where its output's file has to be.
    """
    layout = layout_of(files)
    outputs = {}
    for path in sorted(filter(layout.holds, files)):
        name = PurePosixPath(path).name.removesuffix(".json")
        try:
            expected = layout.path_of(name)
        except BadName as error:
            raise RegistryFileMalformed(path, f"is not named after an output ({error.sentence()})") from None
        if path != expected:
            raise RegistryFileMalformed(path, f"should be {expected!r}")
        outputs[name] = _feedstocks(path, files[path])
    return Registry(outputs, Globs(_globs(files[ALLOWLIST]) if ALLOWLIST in files else {}))


def write(registry: Registry, layout: Layout | None = None) -> dict[str, bytes]:
    """Write a whole repository, but for ``config.json``."""
    layout = layout or Layout()
    files = {
        layout.path_of(output): _feedstocks_json(feedstocks)
        for output, feedstocks in registry.outputs.items()
    }
    return {**files, ALLOWLIST: _globs_yaml(registry.globs.by_feedstock)}


def changes(files: Mapping[str, bytes], registry: Registry) -> dict[str, bytes | None]:
    """Return what has to change in a repository so that it says what a registry says: new bytes, or None to delete.

    Raises:
        RegistryFileMalformed: the repository cannot be read.
    """
    layout, before = layout_of(files), read(files)
    changed: dict[str, bytes | None] = {
        layout.path_of(output): _feedstocks_json(feedstocks)
        for output, feedstocks in registry.outputs.items()
        if before.outputs.get(output) != feedstocks
    }
    changed |= {layout.path_of(output): None for output in before.outputs if output not in registry.outputs}
    if dict(before.globs.by_feedstock) != dict(registry.globs.by_feedstock):
        changed[ALLOWLIST] = _globs_yaml(registry.globs.by_feedstock)
    return changed


def _json_object(path: str, data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise RegistryFileMalformed(path, "is not JSON") from None
    if not isinstance(value, dict):
        raise RegistryFileMalformed(path, "is not an object")
    return value


def _feedstocks(path: str, data: bytes) -> tuple[str, ...]:
    names = _json_object(path, data).get("feedstocks")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RegistryFileMalformed(path, "has no list of texts as its feedstocks")
    return tuple(names)


def _feedstocks_json(feedstocks: tuple[str, ...]) -> bytes:
    return json.dumps({"feedstocks": list(feedstocks)}).encode()


def _globs_yaml(globs: Mapping[str, tuple[str, ...]]) -> bytes:
    lists = {feedstock: list(patterns) for feedstock, patterns in globs.items()}
    body = yaml.safe_dump(lists, sort_keys=False, default_flow_style=False) if lists else "{}\n"
    return _HEADER + body.encode()


def _globs(data: bytes) -> dict[str, tuple[str, ...]]:
    """Read the list of globs: one mapping from texts to lists of texts. Whatever looks like a number is a text too."""
    found: dict[str, list[str]] = {}
    feedstock: str | None = None
    depth = 0
    for event in _events(data):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.MappingStartEvent) and depth == 0:
            depth = 1
        elif isinstance(event, yaml.ScalarEvent) and depth == 1 and feedstock is None:
            feedstock = event.value
            if feedstock in found:
                raise RegistryFileMalformed(ALLOWLIST, f"names {feedstock!r} again on line {line}")
        elif isinstance(event, yaml.SequenceStartEvent) and feedstock is not None and depth == 1:
            found[feedstock], depth = [], 2
        elif isinstance(event, yaml.ScalarEvent) and depth == 2 and feedstock is not None:
            found[feedstock].append(event.value)
        elif isinstance(event, yaml.SequenceEndEvent):
            feedstock, depth = None, 1
        elif isinstance(event, yaml.MappingEndEvent):
            depth = 3
        elif isinstance(event, yaml.AliasEvent):
            raise RegistryFileMalformed(
                ALLOWLIST, f"has a glob without quotes around its first * on line {line}"
            )
        else:
            raise RegistryFileMalformed(ALLOWLIST, f"is no mapping from feedstocks to lists on line {line}")
    return {name: tuple(globs) for name, globs in found.items()}


def _events(data: bytes) -> Iterator[Any]:
    """Yield what stands in the one document of a YAML file."""
    around = (
        yaml.StreamStartEvent,
        yaml.StreamEndEvent,
        yaml.DocumentStartEvent,
        yaml.DocumentEndEvent,
    )
    try:
        for event in yaml.parse(data, Loader=_LOADER):
            if not isinstance(event, around):
                yield event
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RegistryFileMalformed(ALLOWLIST, f"is not YAML ({' '.join(str(error).split())})") from None
