"""What requests bring and answers show, declared once as dataclasses: read, checked and described from there.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class NewLabel:
        \"\"\"A label to create.\"\"\"

        name: Annotated[str, "Its name (CEP 26).", Length(128)]
        locked: Annotated[bool, "Whether it takes no change."] = False

``read(NewLabel, value)`` makes one from a JSON value, ``read_query(NewLabel, query)`` from a query string; both name
what is missing, unknown or of the wrong type. ``shape_of(NewLabel).schema(definitions)`` is its JSON Schema.

A field may be ``str``, ``int``, ``bool``, a ``Literal`` of texts, ``tuple[X, ...]`` of them, another such class,
``dict[str, X]``, ``Any``, or ``X | None``, where null and absence mean the same.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from inspect import getdoc
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    Protocol,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson
from multidict import MultiMapping

from channeld.formats.rejections import shown
from channeld.web.rejections import FieldAbsent, FieldUnknown, FieldWrong

T = TypeVar("T")

Schema = dict[str, Any]

_INT64: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Between:
    """Limits of a whole number, both included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Length:
    """The most characters of a text."""

    most: int


class Shape(Protocol):
    """One kind of value. ``at`` says where in the request a value stands, for the sentence about it."""

    def read(self, value: object, at: str) -> object:
        """Return the value as Python has it; raises ``BadField``."""
        ...

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """Return its JSON Schema (2020-12), adding the objects that it refers to to ``definitions``."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    most: int

    def read(self, value: object, at: str) -> str:
        if not isinstance(value, str) or len(value) > self.most or "\0" in value:
            raise FieldWrong(at, _found(value), f"a text of at most {self.most} characters, without NUL")
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Whole:
    least: int
    most: int

    def read(self, value: object, at: str) -> int:
        # for Python, true is a whole number
        if type(value) is not int or not self.least <= value <= self.most:
            raise FieldWrong(at, _found(value), f"a whole number from {self.least} to {self.most}")
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Flag:
    def read(self, value: object, at: str) -> bool:
        if type(value) is not bool:
            raise FieldWrong(at, _found(value), "true or false")
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]

    def read(self, value: object, at: str) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise FieldWrong(at, _found(value), f"one of {', '.join(map(repr, self.values))}")
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class Anything:
    def read(self, value: object, at: str) -> object:
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {}


@dataclass(frozen=True, slots=True)
class Maybe:
    of: Shape

    def read(self, value: object, at: str) -> object:
        return None if value is None else self.of.read(value, at)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"anyOf": [self.of.schema(definitions), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Many:
    of: Shape

    def read(self, value: object, at: str) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise FieldWrong(at, _found(value), "a list")
        return tuple(self.of.read(each, f"{at}[{number}]") for number, each in enumerate(value))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "array", "items": self.of.schema(definitions)}


@dataclass(frozen=True, slots=True)
class Table:
    of: Shape

    def read(self, value: object, at: str) -> dict[str, object]:
        if not isinstance(value, dict):
            raise FieldWrong(at, _found(value), "an object")
        return {key: self.of.read(each, f"{at}.{key}") for key, each in value.items()}

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "object", "additionalProperties": self.of.schema(definitions)}


@dataclass(frozen=True, slots=True)
class Member:
    """One field of an object."""

    shape: Shape
    text: str
    required: bool
    default: Any

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """Return the field's schema with what is said of it."""
        described = {**self.shape.schema(definitions), "description": self.text}
        if not self.required and self.default not in (None, ()):
            described["default"] = self.default
        return described


@dataclass(frozen=True, slots=True)
class Object:
    kind: type
    members: Mapping[str, Member]

    def read(self, value: object, at: str) -> object:
        if not isinstance(value, Mapping):
            raise FieldWrong(at or "body", _found(value), "an object")
        prefix = f"{at}." if at else ""
        self._check_names(value, prefix)
        return self.kind(
            **{name: self.members[name].shape.read(each, f"{prefix}{name}") for name, each in value.items()}
        )

    def _check_names(self, value: Mapping[str, object], prefix: str) -> None:
        unknown = tuple(f"{prefix}{name}" for name in value if name not in self.members)
        if unknown:
            raise FieldUnknown(tuple(map(shown, unknown)), tuple(f"{prefix}{name}" for name in self.members))
        missing = tuple(
            f"{prefix}{name}"
            for name, member in self.members.items()
            if member.required and name not in value
        )
        if missing:
            raise FieldAbsent(missing)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        name = self.kind.__name__
        if name not in definitions:
            described: Schema = {"type": "object", "description": getdoc(self.kind) or ""}
            definitions[name] = described  # before its fields: one of them may be of the same kind
            described["properties"] = {
                field: member.schema(definitions) for field, member in self.members.items()
            }
            described["required"] = [field for field, member in self.members.items() if member.required]
        return {"$ref": f"#/components/schemas/{name}"}

    def read_query(self, query: MultiMapping[str]) -> object:
        """Make one from the parameters of a query string."""
        value = {name: _from_query(self.members, name, query.getall(name)) for name in dict.fromkeys(query)}
        return self.read(value, "")


def _found(value: object) -> str:
    """Write what was found as it stood in the request, as far as that is short."""
    return shown(orjson.dumps(value, default=str).decode())


def _from_query(members: Mapping[str, Member], name: str, texts: list[str]) -> object:
    """Turn the texts of a parameter into the JSON value that they stand for."""
    shape = members[name].shape if name in members else Anything()
    if isinstance(shape, Maybe):
        shape = shape.of
    if isinstance(shape, Many):
        return list(texts)
    if len(texts) > 1:
        raise FieldWrong(name, _found(texts), "given once")
    (text,) = texts
    if isinstance(shape, Flag):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(shape, Whole):
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
    return text


def read(kind: type[T], value: object) -> T:
    """Make a value of a declared class from a JSON value; raises ``BadField``."""
    return cast("T", object_of(kind).read(value, ""))


def read_query(kind: type[T], query: MultiMapping[str]) -> T:
    """Make a value of a declared class from the parameters of a query string; raises ``BadField``."""
    return cast("T", object_of(kind).read_query(query))


def object_of(kind: type[Any]) -> Object:
    """Return the shape of a declared class."""
    known: Any = kind  # mypy does not take a class for hashable
    return _object_of(known)


@cache
def _object_of(kind: Any) -> Object:
    hints = get_type_hints(kind, include_extras=True)
    return Object(kind, {field.name: _member(hints[field.name], field) for field in fields(kind)})


def _member(hint: Any, field: Field[Any]) -> Member:
    required = field.default is MISSING and field.default_factory is MISSING
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    text = next((note for note in notes if isinstance(note, str)), "")
    default = None if field.default is MISSING else field.default
    return Member(shape_of(hint), text, required, default)


_PLAIN: Final[Mapping[Any, Shape]] = {
    str: Text(65_536),
    int: Whole(-_INT64 - 1, _INT64),
    bool: Flag(),
    Any: Anything(),
}


def _maybe(arguments: tuple[Any, ...]) -> Shape | None:
    others = [each for each in arguments if each is not type(None)]
    return Maybe(shape_of(others[0])) if len(others) == 1 else None


#: By the origin of a generic type; None for arguments that are not understood.
_GENERIC: Final[Mapping[Any, Callable[[tuple[Any, ...]], Shape | None]]] = {
    Annotated: lambda arguments: _limited(shape_of(arguments[0]), arguments[1:]),
    Union: _maybe,
    types.UnionType: _maybe,
    Literal: Choice,
    tuple: lambda arguments: Many(shape_of(arguments[0])) if arguments[1:] == (...,) else None,
    dict: lambda arguments: Table(shape_of(arguments[1])) if arguments[0] is str else None,
}


def shape_of(hint: Any) -> Shape:
    """Return the shape of an annotated type.

    Raises:
        TypeError: no field has been of this type before; teach this module.
    """
    if isinstance(hint, type) and is_dataclass(hint):
        return object_of(hint)
    generic = _GENERIC.get(get_origin(hint))
    shape = generic(get_args(hint)) if generic is not None else _PLAIN.get(hint)
    if shape is None:
        raise TypeError(f"Nothing in a request or an answer is of type {hint}.")
    return shape


def _limited(shape: Shape, notes: tuple[Any, ...]) -> Shape:
    """Apply the limits among the notes of an annotation to what they are about."""
    if isinstance(shape, Maybe):
        return Maybe(_limited(shape.of, notes))
    if isinstance(shape, Many):
        return Many(_limited(shape.of, notes))
    for note in notes:
        if isinstance(note, Length):
            shape = Text(note.most)
        elif isinstance(note, Between):
            shape = Whole(note.least, note.most)
    return shape
