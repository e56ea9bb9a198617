"""Reading a request: from its text to values, with everything that is wrong with it told at once. Pure.

The files of conda-forge's ``admin-requests`` are read as they are:

    action: broken | not_broken        packages: [<subdir>/<file name>, …]
    action: archive | unarchive        feedstocks: [<name>, …]
    action: token_reset                feedstocks, skip_providers, existing_tokens_time_to_expiration
    action: add_feedstock_output       feedstock_to_output_mapping: {<feedstock>: [<output or glob>, …]}
    action: cfep3_copy                 anaconda_org_packages: [{package, sha256}, …], to_anaconda_org_label

Beyond them there are the action ``remove_feedstock_output``, the keys ``channel`` and ``reason`` for every action, and
``providers`` for ``token_reset``. A feedstock may be named with or without ``-feedstock``. The same entry twice is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final, TypeVar

from channeld.catalog.channels import MAIN
from channeld.catalog.feedstocks import check_name as check_feedstock
from channeld.catalog.labels import BROKEN
from channeld.errors import Rejected
from channeld.formats.names import (
    FileName,
    Naming,
    check_channel_name,
    check_label,
    check_package_name,
    check_subdir,
)
from channeld.formats.rejections import shown
from channeld.promotion.distnames import DistName
from channeld.promotion.globs import check_glob, is_glob
from channeld.promotion.outputs import OutputTooShort, bare
from channeld.promotion.requestdocument import Node, Syntax, Unreadable, read_document
from channeld.promotion.requests import (
    FOREIGN_ACTIONS,
    Action,
    Archiving,
    CopiedFile,
    Copying,
    FeedstockOutput,
    MarkedFile,
    Marking,
    NamedFeedstock,
    Problem,
    Registering,
    Request,
    RequestMalformed,
    TokenReset,
    Work,
)

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)

#: Entries of one request: of rows, of those that take a scrypt for every token, of those that read whole packages.
MOST_ENTRIES: Final = 5_000
MOST_RESETS: Final = 100
MOST_COPIES: Final = 100
_MOST_PROVIDERS: Final = 10
_REASON_LIMIT: Final = 500

#: The CI services that conda-smithy knows, and those that conda-forge makes tokens for.
PROVIDERS: Final = ("appveyor", "azure", "circle", "drone", "github_actions", "travis")
USUAL_PROVIDERS: Final = ("appveyor", "azure", "github_actions")

_PROVIDER: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SECONDS: Final = re.compile(r"-?[0-9]{1,9}")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


def read_request(data: bytes, syntax: Syntax, name: str) -> Request:
    """Read a request; ``name`` is what sentences call it.

    Raises:
        RequestMalformed: it cannot be understood; all that is wrong with it is told.
    """
    try:
        root = read_document(data, syntax)
    except Unreadable as error:
        raise RequestMalformed(name, (error.problem,)) from None
    reading = _Reading()
    request = _request(reading, root)
    if request is None or reading.problems:
        raise RequestMalformed(name, tuple(sorted(reading.problems, key=lambda problem: problem.line)))
    return request


class _Reading:
    """Collects what is wrong, so that reading can go on behind it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def tell(self, key: str, node: Node, text: str) -> None:
        self.problems.append(Problem(key, text, node.line))

    def checked(self, key: str, node: Node, check: Callable[[], T]) -> T | None:
        """Return what a check returns; tell what it rejects."""
        try:
            return check()
        except Rejected as error:
            self.tell(key, node, f"is refused: {error.sentence().removesuffix('.')}")
            return None

    def text(self, key: str, node: Node) -> str | None:
        if isinstance(node.value, str) and node.value:
            return node.value
        self.tell(key, node, "has to be a text")
        return None

    def optional(self, fields: Mapping[str, Node], key: str) -> str | None:
        """Read a text that need not be there."""
        node = fields.get(key)
        return None if node is None or node.value is None else self.text(key, node)

    def mapping(self, key: str, node: Node, of: str) -> Mapping[str, Node]:
        """Read a mapping that must not be empty; ``of`` says from what to what it leads."""
        if isinstance(node.value, Mapping) and node.value:
            return node.value
        self.tell(key, node, f"has to be a mapping {of}")
        return {}

    def each(self, key: str, node: Node, most: int) -> Iterator[tuple[str, Node]]:
        """Yield the entries of a list that must not be empty, each with its key."""
        if not isinstance(node.value, tuple) or not node.value:
            self.tell(key, node, "has to be a list that is not empty")
        elif len(node.value) > most:
            self.tell(key, node, f"has {len(node.value)} entries, more than {most}; divide it among requests")
        else:
            yield from ((f"{key}[{number}]", entry) for number, entry in enumerate(node.value))

    def texts(self, key: str, node: Node, most: int) -> Iterator[tuple[str, Node, str]]:
        """Yield the entries of a list of texts."""
        for place, entry in self.each(key, node, most):
            text = self.text(place, entry)
            if text is not None:
                yield place, entry, text

    def know(self, fields: Mapping[str, Node], known: Iterable[str], prefix: str = "") -> None:
        """Tell which keys mean nothing: whoever wrote them expects something of them."""
        names = tuple(known)
        for key, node in fields.items():
            if key not in names:
                self.tell(
                    f"{prefix}{shown(key)}",
                    node,
                    f"is a key that means nothing; known are {', '.join(names)}",
                )


_Read = Callable[[_Reading, Mapping[str, Node], Action], Work | None]


def _request(reading: _Reading, root: Node) -> Request | None:
    if not isinstance(root.value, Mapping):
        reading.tell("", root, "is no mapping from keys to values, with `action` among them")
        return None
    fields = root.value
    action = _action(reading, root, fields)
    if action is None:
        return None
    keys, read = _ACTIONS[action]
    reading.know(fields, ("action", *keys, "channel", "reason"))
    required = keys[0]
    if required not in fields:
        reading.tell(required, root, f"is missing: it has what the action {action} is about")
        return None
    channel = reading.optional(fields, "channel")
    if channel is not None:
        reading.checked("channel", fields["channel"], lambda: check_channel_name(channel))
    reason = reading.optional(fields, "reason") or ""
    if len(reason) > _REASON_LIMIT:
        reading.tell("reason", fields["reason"], f"has more than {_REASON_LIMIT} characters")
    work = read(reading, fields, action)
    return Request(action, work, channel or "", " ".join(reason.split())) if work is not None else None


def _action(reading: _Reading, root: Node, fields: Mapping[str, Node]) -> Action | None:
    if "action" not in fields:
        reading.tell("action", root, f"is missing; it is one of {', '.join(Action)}")
        return None
    node = fields["action"]
    text = reading.text("action", node)
    if text is None:
        return None
    if text in FOREIGN_ACTIONS:
        reading.tell(
            "action",
            node,
            f"{text!r} is about {FOREIGN_ACTIONS[text]}, which channeld has nothing to do with",
        )
        return None
    if text not in list(Action):
        reading.tell("action", node, f"cannot be {shown(text)!r}; it is one of {', '.join(Action)}")
        return None
    return Action(text)


def _marking(reading: _Reading, fields: Mapping[str, Node], action: Action) -> Work:
    key = "packages"
    found = []
    for place, node, text in reading.texts(key, fields[key], MOST_ENTRIES):
        dist = _dist(reading, place, node, text)
        if dist is not None:
            found.append(MarkedFile(place, dist))
    return Marking(action is Action.BROKEN, _distinct(found, lambda entry: entry.dist))


def _dist(reading: _Reading, key: str, node: Node, text: str) -> DistName | None:
    subdir, slash, filename = text.partition("/")
    if not slash:
        reading.tell(key, node, f"{shown(text)!r} is not of the form <subdir>/<file name>")
        return None
    return reading.checked(
        key, node, lambda: DistName(check_subdir(subdir), FileName.parse(filename, Naming.LEGACY))
    )


def _feedstocks(reading: _Reading, fields: Mapping[str, Node], most: int) -> tuple[NamedFeedstock, ...]:
    key = "feedstocks"
    found = []
    for place, node, text in reading.texts(key, fields[key], most):
        name = _feedstock(reading, place, node, text)
        if name is not None:
            found.append(NamedFeedstock(place, name))
    return _distinct(found, lambda entry: entry.feedstock)


def _feedstock(reading: _Reading, key: str, node: Node, text: str) -> str | None:
    return reading.checked(key, node, lambda: check_feedstock(bare(text)))


def _archiving(reading: _Reading, fields: Mapping[str, Node], action: Action) -> Work:
    return Archiving(action is Action.ARCHIVE, _feedstocks(reading, fields, MOST_ENTRIES))


def _registering(reading: _Reading, fields: Mapping[str, Node], action: Action) -> Work:
    key = "feedstock_to_output_mapping"
    found = []
    for name, outputs in reading.mapping(key, fields[key], "from feedstocks to lists of outputs").items():
        place = f"{key}.{shown(name)}"
        feedstock = _feedstock(reading, place, outputs, name)
        for at, node, text in reading.texts(place, outputs, MOST_ENTRIES):
            output = reading.checked(at, node, partial(_output, text, action))
            if feedstock is not None and output is not None:
                found.append(FeedstockOutput(at, feedstock, output))
    if len(found) > MOST_ENTRIES:
        reading.tell(
            key, fields[key], f"has {len(found)} entries, more than {MOST_ENTRIES}; divide it among requests"
        )
    registered = action is Action.ADD_OUTPUT
    return Registering(registered, _distinct(found, _what_is_registered))


def _what_is_registered(entry: FeedstockOutput) -> tuple[str, str]:
    return entry.feedstock, entry.name if entry.is_glob else entry.name.lower()


def _output(text: str, action: Action) -> str:
    """Check what an output or a glob may be. What is to go may be anything that looks like a glob."""
    if len(text) == 1:
        raise OutputTooShort(shown(text))
    if not is_glob(text):
        return check_package_name(text, Naming.LEGACY)
    return text if action is Action.REMOVE_OUTPUT and text.isprintable() else check_glob(text)


def _token_reset(reading: _Reading, fields: Mapping[str, Node], action: Action) -> Work:
    feedstocks = _feedstocks(reading, fields, MOST_RESETS)
    skipped = _providers(reading, fields, "skip_providers", known=PROVIDERS)
    wanted = _providers(reading, fields, "providers") or USUAL_PROVIDERS
    providers = tuple(name for name in wanted if name not in skipped)
    if not providers:
        reading.tell("skip_providers", fields["skip_providers"], "leaves no CI service to make a token for")
    return TokenReset(feedstocks, providers, _overlap(reading, fields))


def _providers(
    reading: _Reading, fields: Mapping[str, Node], key: str, known: tuple[str, ...] = ()
) -> tuple[str, ...]:
    node = fields.get(key)
    if node is None or node.value in (None, ()):
        return ()
    found = []
    for place, entry, text in reading.texts(key, node, _MOST_PROVIDERS):
        if known and text not in known:
            reading.tell(place, entry, f"{shown(text)!r} is none of {', '.join(known)}")
        elif _PROVIDER.fullmatch(text) is None:
            reading.tell(place, entry, f"{shown(text)!r} is not the name of a CI service")
        found.append(text)
    return tuple(dict.fromkeys(found))


def _overlap(reading: _Reading, fields: Mapping[str, Node]) -> int:
    """Read how long the old tokens work on. conda-forge takes 0 and less as null: they end at once."""
    key = "existing_tokens_time_to_expiration"
    node = fields.get(key)
    if node is None or node.value is None:
        return 0
    if not isinstance(node.value, str) or _SECONDS.fullmatch(node.value) is None:
        reading.tell(key, node, "has to be a whole number of seconds, or null")
        return 0
    return max(0, int(node.value))


def _copying(reading: _Reading, fields: Mapping[str, Node], action: Action) -> Work:
    key, to_label = "anaconda_org_packages", "to_anaconda_org_label"
    label = reading.optional(fields, to_label)
    if label is not None:
        reading.checked(to_label, fields[to_label], lambda: check_label(label))
        if label == BROKEN:
            reading.tell(
                to_label, fields[to_label], f"cannot be {BROKEN!r}: copy first, and mark what is there"
            )
    found: dict[DistName, CopiedFile] = {}
    for place, node in reading.each(key, fields[key], MOST_COPIES):
        entry = _copied(reading, place, node)
        if entry is None:
            continue
        first = found.setdefault(entry.dist, entry)
        if first.sha256 != entry.sha256:
            reading.tell(place, node, f"names other bytes for {entry.dist} than {first.key} does")
    return Copying(label or MAIN, tuple(found.values()))


def _copied(reading: _Reading, key: str, node: Node) -> CopiedFile | None:
    fields = reading.mapping(key, node, "with `package` and `sha256`")
    if not fields:
        return None
    reading.know(fields, ("package", "sha256"), f"{key}.")
    missing = [name for name in ("package", "sha256") if name not in fields]
    for name in missing:
        reading.tell(f"{key}.{name}", node, "is missing")
    if missing:
        return None
    sha256 = reading.text(f"{key}.sha256", fields["sha256"])
    if sha256 is not None and _SHA256.fullmatch(sha256) is None:
        reading.tell(f"{key}.sha256", fields["sha256"], "has to be a SHA-256: 64 hexadecimal digits")
    package = reading.text(f"{key}.package", fields["package"])
    if package is None or sha256 is None:
        return None
    return _copy_of(reading, key, fields["package"], package, sha256.lower())


def _copy_of(reading: _Reading, key: str, node: Node, package: str, sha256: str) -> CopiedFile | None:
    place = f"{key}.package"
    parts = package.rsplit("/", 2)
    if len(parts) < 3:
        reading.tell(
            place,
            node,
            f"{shown(package)!r} is not of the form <channel>[/label/<label>]/<subdir>/<file name>",
        )
        return None
    source, found, label = parts[0].partition("/label/")
    dist = _dist(reading, place, node, "/".join(parts[1:]))
    source_ok = reading.checked(place, node, lambda: check_channel_name(source))
    label_ok = reading.checked(place, node, lambda: check_label(label)) if found else MAIN
    if dist is None or source_ok is None or label_ok is None:
        return None
    return CopiedFile(key, source, label_ok, dist, sha256)


def _distinct(entries: Iterable[T], what: Callable[[T], H]) -> tuple[T, ...]:
    """Leave out what says the same as an earlier entry."""
    found: dict[H, T] = {}
    for entry in entries:
        found.setdefault(what(entry), entry)
    return tuple(found.values())


#: The keys of each action, the one that it cannot do without first, and what reads them.
_ACTIONS: Final[Mapping[Action, tuple[tuple[str, ...], _Read]]] = {
    Action.BROKEN: (("packages",), _marking),
    Action.NOT_BROKEN: (("packages",), _marking),
    Action.ARCHIVE: (("feedstocks",), _archiving),
    Action.UNARCHIVE: (("feedstocks",), _archiving),
    Action.ADD_OUTPUT: (("feedstock_to_output_mapping",), _registering),
    Action.REMOVE_OUTPUT: (("feedstock_to_output_mapping",), _registering),
    Action.TOKEN_RESET: (
        ("feedstocks", "skip_providers", "providers", "existing_tokens_time_to_expiration"),
        _token_reset,
    ),
    Action.COPY: (("anaconda_org_packages", "to_anaconda_org_label"), _copying),
}
