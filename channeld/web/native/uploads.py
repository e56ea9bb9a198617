"""``PUT /channels/{channel}/files/{filename}``: the native upload. The body is the package itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from channeld.catalog import channels, selection
from channeld.catalog.files import Added
from channeld.catalog.grants import Verb
from channeld.catalog.rejections import FileConflict, LabelLocked
from channeld.formats.archive.rejections import PackageTooLarge
from channeld.formats.rejections import BadArchive, BadMetadata, BadName
from channeld.intake.rejections import ChecksumMalformed, ChecksumMismatch, EmptyUpload, SubdirContradicted
from channeld.web.native.route import REASON, Answer, Call, Header, Reply, Route
from channeld.web.shapes import Length
from channeld.web.uploads import LONGEST_WAIT, Announced, preferred_wait, status_of, take, wait_until_live

_WAIT = Header(
    "Prefer",
    "`wait=<seconds>` (RFC 7240) has the answer come once the package is live, or when the time has run out; then "
    f"`live` is false, and the package is safe all the same. At most {LONGEST_WAIT:g}.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadQuery:
    """What is said of an upload beside its bytes."""

    label: Annotated[
        tuple[str, ...],
        "A label that it gets; several are given one by one. `main` if there is none.",
        Length(128),
    ] = ("main",)
    subdir: Annotated[str, "The subdir that its metadata must name.", Length(32)] = ""
    sha256: Annotated[str, "The SHA-256 that its bytes must have, hex.", Length(64)] = ""
    md5: Annotated[str, "The MD5 that its bytes must have, hex.", Length(32)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """What became of an upload."""

    outcome: Annotated[
        Literal["created", "unchanged", "relabelled", "restored"],
        "`created`: new to the channel; `unchanged`: it was there with the same bytes and labels; `relabelled`: it was "
        "there and has got labels; `restored`: it had been deleted.",
    ]
    channel: Annotated[str, "The channel."]
    subdir: Annotated[str, "The subdir that its metadata names."]
    filename: Annotated[str, "Its file name."]
    sha256: Annotated[str, "SHA-256 of the bytes that are stored, hex."]
    md5: Annotated[str, "Their MD5."]
    size: Annotated[int, "Their number."]
    labels: Annotated[tuple[str, ...], "All labels that it carries now."]
    revision: Annotated[int, "The revision of the channel that has it."]
    live: Annotated[bool, "Whether this revision is known to be published."]
    url: Annotated[str, "Where it is downloaded."]


async def put(call: Call, channel: str, filename: str, query: UploadQuery) -> Reply:
    announced = Announced(
        channel=channel,
        filename=filename,
        labels=tuple(dict.fromkeys(query.label)) or ("main",),
        subdir=query.subdir,
        sha256=query.sha256,
        md5=query.md5,
    )
    added = await take(call.request, call.services, announced)
    seconds = preferred_wait(call.request)
    revision = added.revision or await _revision(call, channel)
    # What was just stored cannot be live yet, and asking has its price under many uploads.
    live = False
    if seconds or not added.revision:
        live = await wait_until_live(call.services, added.file.channel_id, revision, seconds)
    headers = {"Preference-Applied": f"wait={seconds:g}"} if seconds else {}
    labels = sorted(announced.labels)
    if added.outcome != "created":
        labels = await call.read(lambda connection: selection.label_names_of(connection, added.file.id))
    value = _uploaded(call, channel, added, labels, announced.labels[0], revision, live=live)
    return Reply(value, status_of(added), headers)


async def _revision(call: Call, channel: str) -> int:
    """Return the revision that the channel is at: what was there already may still wait to be published."""
    return (await call.read(lambda connection: channels.get(connection, channel))).revision


def _uploaded(
    call: Call, channel: str, added: Added, labels: list[str], label: str, revision: int, *, live: bool
) -> Uploaded:
    file = added.file
    return Uploaded(
        outcome=added.outcome,
        channel=channel,
        subdir=file.subdir,
        filename=file.filename,
        sha256=file.sha256,
        md5=file.md5,
        size=file.size,
        labels=tuple(labels),
        revision=revision,
        live=live,
        url=call.file_url(channel, label, file.subdir, file.filename),
    )


ROUTES = (
    Route(
        "PUT",
        "/channels/{channel}/files/{filename}",
        "Upload a package",
        put,
        (
            Answer(201, "It is stored, and new to the channel or to one of the labels.", Uploaded),
            Answer(200, "It was there already, with the same bytes and labels.", Uploaded),
        ),
        right=Verb.UPLOAD,
        refusals=(
            BadName,
            BadArchive,
            BadMetadata,
            PackageTooLarge,
            ChecksumMalformed,
            ChecksumMismatch,
            EmptyUpload,
            SubdirContradicted,
            FileConflict,
            LabelLocked,
        ),
        headers=(_WAIT, REASON),
        raw_body="application/octet-stream",
        text="The token is checked before the body is asked for (`Expect: 100-continue`). Sending the same package "
        "again is safe, and answered with 200.",
    ),
)
