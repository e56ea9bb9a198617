"""``POST /channels/{channel}/relabel``: labels put on files and taken off, however many, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

from channeld.catalog import channels, relabelling
from channeld.catalog.grants import Verb, allows, may_allow, missing
from channeld.catalog.rejections import (
    FileMissing,
    LabelBothWays,
    LabelLocked,
    LabelMissing,
    NothingSelected,
    PackageMissing,
)
from channeld.catalog.relabelling import Relabelled, Relabelling
from channeld.catalog.selection import Selection
from channeld.formats.names import check_label
from channeld.formats.rejections import BadName
from channeld.web.auth import NotAllowed
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.rejections import BadRequest
from channeld.web.shapes import Length

#: Changes that an answer lists; it counts all of them.
MOST_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSelection:
    """Some files: those that fit all that is given. A file, a package or a label must be named."""

    subdir: Annotated[str, "Of this subdir.", Length(32)] = ""
    filename: Annotated[str, "Of this name; in a staging channel all of its candidates.", Length(211)] = ""
    sha256: Annotated[str, "With these bytes: for one of several candidates.", Length(64)] = ""
    name: Annotated[str, "Of this package.", Length(64)] = ""
    version: Annotated[str, "Of this version.", Length(64)] = ""
    label: Annotated[str, "Carrying this label.", Length(128)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOrder:
    """Labels to put on files and to take off. To copy a label is to add another to its files; to move it, both."""

    files: Annotated[tuple[FileSelection, ...], "Which files: all that fit one of these."]
    add: Annotated[tuple[str, ...], "Labels to put on.", Length(128)] = ()
    remove: Annotated[tuple[str, ...], "Labels to take off.", Length(128)] = ()
    reason: Annotated[str | None, "Why; kept in the audit.", Length(500)] = None
    dry_run: Annotated[bool, "Tell what would change, and change nothing."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChange:
    """A file whose labels changed, or would change."""

    subdir: Annotated[str, "Its subdir."]
    filename: Annotated[str, "Its file name."]
    sha256: Annotated[str, "SHA-256 of its bytes, hex."]
    before: Annotated[tuple[str, ...], "Its labels before."]
    after: Annotated[tuple[str, ...], "Its labels after."]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOutcome:
    """What changed, or would change. Files that were as asked for already are not among it."""

    changed: Annotated[int, "How many files."]
    changes: Annotated[tuple[LabelChange, ...], f"The files, the first {MOST_SHOWN} of them."]
    revision: Annotated[int, "The revision of the channel that has it; 0 when nothing changed."]
    dry_run: Annotated[bool, "Whether nothing was changed on purpose."]


async def order(call: Call, channel: str, body: LabelOrder) -> Reply:
    touched = tuple(dict.fromkeys((*body.add, *body.remove)))
    if not touched:
        raise BadRequest("neither 'add' nor 'remove' names a label")
    _check_possible(call, channel, touched)
    selections = tuple(_selection(channel, files) for files in body.files)
    if not selections:
        raise NothingSelected(channel)
    for name in touched:
        check_label(name)
    asked = Relabelling(selections, body.add, body.remove)

    def approve(changes: Sequence[Relabelled]) -> None:
        _check_each(call, channel, changes)

    if body.dry_run:
        changes = await call.read(
            lambda connection: relabelling.plan(connection, channels.get(connection, channel), asked)
        )
        approve(changes)
        return Reply(_outcome(changes, 0, dry_run=True))
    actor = call.actor if body.reason is None else replace(call.actor, reason=body.reason)
    changes, revision = await call.write(
        lambda connection: relabelling.apply(connection, channel, asked, actor, approve)
    )
    return Reply(_outcome(changes, revision, dry_run=False))


def _selection(channel: str, files: FileSelection) -> Selection:
    if not (files.filename or files.name or files.label):
        raise NothingSelected(channel)
    return Selection(
        subdir=files.subdir,
        filename=files.filename,
        sha256=files.sha256.lower(),
        name=files.name,
        version=files.version,
        label=files.label,
    )


def _check_possible(call: Call, channel: str, touched: Sequence[str]) -> None:
    """Refuse who could change these labels on no package at all, before anything is looked up."""
    for label in touched:
        if not may_allow(call.token.grants, Verb.LABEL, channel, label):
            raise NotAllowed(missing(call.token.grants, Verb.LABEL, channel, label))


def _check_each(call: Call, channel: str, changes: Sequence[Relabelled]) -> None:
    """Make sure that the token reaches each label of each package that changes."""
    pairs = {(label, one.file.name) for one in changes for label in (*one.added, *one.removed)}
    for label in sorted({label for label, _ in pairs}):
        if not allows(call.token.grants, Verb.LABEL, channel, label):
            for package in sorted(package for wanted, package in pairs if wanted == label):
                call.services.auth.require(call.token, Verb.LABEL, channel, (label,), package)


def _outcome(changes: Sequence[Relabelled], revision: int, *, dry_run: bool) -> LabelOutcome:
    shown = tuple(
        LabelChange(
            subdir=one.file.subdir,
            filename=one.file.filename,
            sha256=one.file.sha256,
            before=one.before,
            after=one.after,
        )
        for one in changes[:MOST_SHOWN]
    )
    return LabelOutcome(changed=len(changes), changes=shown, revision=revision, dry_run=dry_run)


ROUTES = (
    Route(
        "POST",
        "/channels/{channel}/relabel",
        "Put labels on files and take them off",
        order,
        (Answer(200, "What changed, or would change.", LabelOutcome),),
        right=Verb.LABEL,
        refusals=(
            BadName,
            NothingSelected,
            LabelBothWays,
            FileMissing,
            PackageMissing,
            LabelMissing,
            LabelLocked,
        ),
        headers=(REASON,),
        text="The label `broken` hides a file from all other labels: adding it marks a file as broken, removing it "
        "mends the file. Asking twice changes nothing the second time. In a staging channel every candidate that fits "
        "is meant, and can be promoted by the labels that it is left with.",
    ),
)
