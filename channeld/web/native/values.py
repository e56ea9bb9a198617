"""What several routes answer, and how times are written: RFC 3339, UTC, milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from channeld.catalog.listing import Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a channel."""

    channel: Annotated[str, "Its channel."]
    subdir: Annotated[str, "Its subdir."]
    filename: Annotated[str, "Its file name."]
    name: Annotated[str, "The name of the package."]
    version: Annotated[str, "The version of the package."]
    sha256: Annotated[str, "SHA-256 of its bytes, hex."]
    md5: Annotated[str, "MD5 of its bytes, hex."]
    size: Annotated[int, "Bytes."]
    labels: Annotated[tuple[str, ...], "The labels that it carries."]
    broken: Annotated[bool, "Whether it carries the label `broken`, which hides it from all other labels."]
    uploaded: Annotated[str, "When it came into the channel."]
    uploaded_by: Annotated[str, "The id of the token that brought it."]

    @classmethod
    def of(cls, channel: str, listed: Listed) -> StoredFile:
        """Show a file."""
        file = listed.file
        return cls(
            channel=channel,
            subdir=file.subdir,
            filename=file.filename,
            name=file.name,
            version=file.version,
            sha256=file.sha256,
            md5=file.md5,
            size=file.size,
            labels=listed.labels,
            broken=file.broken,
            uploaded=time_text(file.uploaded_ms),
            uploaded_by=file.uploaded_by,
        )


def time_text(milliseconds: int) -> str:
    """Write Unix milliseconds for people and programs alike."""
    time = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_time(milliseconds: int | None) -> str | None:
    """Write a time that there may not be."""
    return None if milliseconds is None else time_text(milliseconds)
