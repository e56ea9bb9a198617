"""The text of a request, YAML or JSON, as plain values that know where they stand. Pure.

YAML is read as events, which need no recursion and build nothing (see ``formats.archive.plainyaml``). Aliases, anchors,
tags and a key given twice are refused, each with what was probably meant. All scalars stay the texts that they are,
numbers too, so that ``1.10`` is the name of an output and not 1.1; null alone is ``None``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

from channeld.formats.rejections import shown
from channeld.promotion.requests import Problem

Syntax = Literal["yaml", "json"]

#: Bytes of one file; the largest of conda-forge's has had 12 kB.
SIZE_LIMIT: Final = 512 * 1024
_DEPTH_LIMIT: Final = 6
_EVENT_LIMIT: Final = 50_000

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Node:
    """A value, and the line on which it begins; 0 where that is not known, as in JSON."""

    value: str | tuple[Node, ...] | Mapping[str, Node] | None
    line: int = 0


class Unreadable(Exception):
    """There is no document to speak of: one problem says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def read_document(data: bytes, syntax: Syntax) -> Node:
    """Read the one document of a text; raises ``Unreadable``."""
    if len(data) > SIZE_LIMIT:
        raise Unreadable(Problem("", f"is larger than {SIZE_LIMIT} bytes"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(Problem("", "is not UTF-8")) from None
    return _read_json(text) if syntax == "json" else _read_yaml(text)


def _read_yaml(text: str) -> Node:
    builder = _Builder()
    try:
        for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            if count > _EVENT_LIMIT:
                raise Unreadable(Problem("", f"has more than {_EVENT_LIMIT} parts"))
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else 0
        raise Unreadable(Problem("", f"is not YAML ({shown(error.problem)})", line)) from None
    except yaml.YAMLError:
        raise Unreadable(Problem("", "is not YAML (it has a character that YAML does not have)")) from None
    return builder.document or Node(None)


@dataclass(slots=True)
class _Open:
    """A mapping or list that has not ended yet."""

    line: int
    items: list[Node] | dict[str, Node]
    #: The key that waits for its value.
    key: str | None = None


class _Builder:
    """Puts values together out of events, on a stack of its own."""

    def __init__(self) -> None:
        self.document: Node | None = None
        self._open: list[_Open] = []

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        _check_plain(event, line)
        if isinstance(event, yaml.DocumentStartEvent):
            if self.document is not None:
                raise Unreadable(Problem("", "has more than one document", line))
        elif isinstance(event, yaml.ScalarEvent):
            self._add(Node(None if event.implicit[0] and event.value in _NULLS else event.value, line))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._open) >= _DEPTH_LIMIT:
                raise Unreadable(Problem("", f"is nested more than {_DEPTH_LIMIT} levels deep", line))
            self._check_is_value(line)
            self._open.append(_Open(line, {} if isinstance(event, yaml.MappingStartEvent) else []))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            ended = self._open.pop()
            items = ended.items
            self._add(Node(items if isinstance(items, dict) else tuple(items), ended.line))

    def _check_is_value(self, line: int) -> None:
        """Refuse a mapping or a list that stands where a key has to."""
        if self._open and isinstance(self._open[-1].items, dict) and self._open[-1].key is None:
            raise Unreadable(Problem("", "has a key that is not a text", line))

    def _add(self, node: Node) -> None:
        if not self._open:
            self.document = node
            return
        place = self._open[-1]
        if isinstance(place.items, list):
            place.items.append(node)
        elif place.key is None:
            place.key = _key(node.value, place.items, node.line)
        else:
            place.items[place.key] = node
            place.key = None


def _check_plain(event: Any, line: int) -> None:
    """Refuse what makes YAML dangerous, or is a slip of somebody who meant a glob."""
    if isinstance(event, yaml.AliasEvent):
        raise Unreadable(Problem("", "has an alias; write a glob that begins with * in quotes", line))
    if getattr(event, "tag", None) is not None:
        raise Unreadable(Problem("", "has a tag; write a text that begins with ! in quotes", line))
    if getattr(event, "anchor", None) is not None:
        raise Unreadable(Problem("", "has an anchor; write a text that begins with & in quotes", line))


def _key(value: object, known: Mapping[str, object], line: int) -> str:
    if not isinstance(value, str):
        raise Unreadable(Problem("", "has a key that is not a text", line))
    if value in known:
        raise Unreadable(Problem("", f"has the key {shown(value)!r} twice", line))
    return value


def _read_json(text: str) -> Node:
    def refuse(constant: str) -> Any:
        raise ValueError(f"it has {constant}")

    try:
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_int=str, parse_float=str, parse_constant=refuse
        )
    except json.JSONDecodeError as error:
        raise Unreadable(Problem("", f"is not JSON ({error.msg})", error.lineno)) from None
    except (ValueError, RecursionError):
        raise Unreadable(Problem("", "is not JSON")) from None
    return _node(value, 0)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[_key(key, found, 0)] = value
    return found


def _node(value: Any, depth: int) -> Node:
    if depth > _DEPTH_LIMIT:
        raise Unreadable(Problem("", f"is nested more than {_DEPTH_LIMIT} levels deep"))
    if isinstance(value, dict):
        return Node({key: _node(each, depth + 1) for key, each in value.items()})
    if isinstance(value, list):
        return Node(tuple(_node(each, depth + 1) for each in value))
    if isinstance(value, bool):
        return Node("true" if value else "false")
    return Node(value)
