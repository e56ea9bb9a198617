"""What stands around the records of a repodata.json (CEP 36, CEP 42, CEP 48).

The keys are those that conda-index writes, in its order, which is the alphabet's: ``info``, ``packages``,
``packages.conda``, ``removed``, ``repodata_version``, ``v3``. ``repodata_version`` is 1 and stands at the top level,
where every implementation has it: version 2 means a ``base_url`` (CEP 15), which conda and mamba read in different
ways, and which old clients refuse.

``repodata_from_packages.json`` and ``current_repodata.json`` have the same layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from channeld.errors import Rejected
from channeld.formats.layout import Layout, canonical_json
from channeld.formats.relations import NO_RELATIONS, ChannelRelations

REPODATA_VERSION: Final = 1

#: Sections of every repodata.json, and those of one that has records for new clients only (CEP 48).
#: In ``v3.*`` the key of a record is its file name without the extension; ``removed`` is a list of file names.
CLASSIC_SECTIONS: Final = ("packages", "packages.conda", "removed")
V3_SECTIONS: Final = ("v3.conda", "v3.tar.bz2")

#: CEP 48, in bytes of UTF-8.
REVISION_MESSAGE_LIMIT: Final = 8192


@dataclass(eq=False)
class RevisionMessageTooLong(Rejected):
    size: int
    limit: int = REVISION_MESSAGE_LIMIT

    def sentence(self) -> str:
        return f"The message of a repodata revision has {self.size} bytes, more than {self.limit}."

    advice = "Shorten it (CEP 48)."


@dataclass(frozen=True, slots=True)
class Revision:
    """What ``info.repodata_revisions`` says of the records under one ``vN`` key (CEP 48).

    Raises:
        RevisionMessageTooLong
    """

    #: Of the records of this document alone, not of the channel.
    n_packages: int
    #: The least and the greatest ``indexed_timestamp`` of these records, in milliseconds since 1970.
    oldest: int | None = None
    newest: int | None = None
    #: What a client may show to whoever runs one that cannot read the records.
    message: str | None = None

    def __post_init__(self) -> None:
        size = len((self.message or "").encode())
        if size > REVISION_MESSAGE_LIMIT:
            raise RevisionMessageTooLong(size)

    def document(self) -> dict[str, Any]:
        """Return the JSON value; what is not known is left out."""
        fields = {
            "message": self.message,
            "n_packages": self.n_packages,
            "newest": self.newest,
            "oldest": self.oldest,
        }
        return {key: value for key, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class RepodataInfo:
    """What varies in ``info`` from subdir to subdir, and from label to label."""

    subdir: str
    relations: ChannelRelations = NO_RELATIONS
    #: Given where there are records under ``v3``; there are none where it is not.
    v3: Revision | None = None

    def document(self) -> dict[str, Any]:
        """Return the JSON value. The shard index has these keys too, besides its own (CEP 16, CEP 42)."""
        info: dict[str, Any] = {"subdir": self.subdir}
        if relations := self.relations.document():
            info["channel_relations"] = relations
        if self.v3 is not None:
            info["repodata_revisions"] = {"v3": self.v3.document()}
        return info


def repodata_layout(info: RepodataInfo) -> Layout:
    """Lay out a repodata.json. Entries of ``removed`` are JSON strings, those of other sections ``"key":record``."""
    head = b'{"info":' + canonical_json(info.document()) + b',\n"packages":{\n'
    classic = (head, b'\n},\n"packages.conda":{\n', b'\n},\n"removed":[\n')
    version = b'\n],\n"repodata_version":%d' % REPODATA_VERSION
    if info.v3 is None:
        return Layout(CLASSIC_SECTIONS, (*classic, version + b"}\n"))
    v3 = (version + b',\n"v3":{"conda":{\n', b'\n},\n"tar.bz2":{\n', b"\n}}}\n")
    return Layout(CLASSIC_SECTIONS + V3_SECTIONS, classic + v3)
