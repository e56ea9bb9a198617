"""YAML from a package, without what makes YAML dangerous: mappings, lists and strings, of bounded depth and number.

PyYAML's safe loaders build no objects, but hostile input still ends them: 100 kB of ``[`` overflow the stack of the C
composer (a segmentation fault), and 400 bytes of nested merge keys take it half a minute. So its events are read
instead, which need no recursion; aliases, and with them merges, are refused. All scalars stay the strings that they
are in the text.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

#: Levels of nesting, events, and bytes that are looked at. A recipe's source has 3 levels and 20 events.
_DEPTH_LIMIT: Final = 16
_EVENT_LIMIT: Final = 5_000
_SIZE_LIMIT: Final = 64 * 1024

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_plain_yaml(data: bytes) -> Any:
    """Return the first document as dicts, lists, strings and ``None``; ``None`` too if it cannot be read."""
    if len(data) > _SIZE_LIMIT:
        return None
    builder = _Builder()
    try:
        for count, event in enumerate(yaml.parse(data, Loader=_LOADER)):
            if count > _EVENT_LIMIT or not builder.take(event):
                return None
            if isinstance(event, yaml.DocumentEndEvent):
                break
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        return None
    return builder.document


class _Builder:
    """Puts values together out of events, on a stack of its own."""

    def __init__(self) -> None:
        self.document: Any = None
        self._open: list[dict[str, Any] | list[Any]] = []
        #: The key that waits for its value, for each open mapping.
        self._keys: list[str | None] = []

    def take(self, event: yaml.Event) -> bool:
        """Take the next event, and return whether it may be there."""
        if isinstance(event, yaml.ScalarEvent):
            is_null = event.implicit[0] and event.value in _NULLS
            return self._add(None if is_null else event.value)
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
            if len(self._open) >= _DEPTH_LIMIT or not self._add(value):
                return False
            self._open.append(value)
            self._keys.append(None)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._keys.pop()
        return not isinstance(event, yaml.AliasEvent)

    def _add(self, value: Any) -> bool:
        if not self._open:
            self.document = value
            return True
        container = self._open[-1]
        if isinstance(container, list):
            container.append(value)
        elif (key := self._keys[-1]) is None:
            if not isinstance(value, str):
                return False
            self._keys[-1] = value
        else:
            container[key] = value
            self._keys[-1] = None
        return True
