"""What a request to copy asks for, and on whose behalf: values, and how they are kept with the copy. Pure.

Who asks is a feedstock, which shows one of its tokens, or somebody with a token of this server, who copies by hand:
then the registry of outputs is not asked. A copy may be carried out long after it was asked for, by another process;
so everything that decides about it is in here.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from channeld.promotion.outputs import bare
from channeld.promotion.verdicts import HASH_TYPES

MD5, SHA256 = HASH_TYPES


class Extent(enum.StrEnum):
    """What becomes of the outputs of a request when some of them are refused."""

    #: None of them is copied.
    ALL = "all"
    #: The others are copied, as conda-forge's webservices do.
    SURVIVORS = "survivors"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, as the audit names it, and by which right."""

    #: For the audit: the id of a token of this server, a local command, or ``feedstock:<name>``.
    actor: str
    #: From which address.
    origin: str
    reason: str = ""
    #: The row of the feedstock's token that was shown; None where none was right, and for a copy by hand.
    feedstock_token: int | None = None
    #: The id of the token of this server by which it is copied by hand; "" for none.
    token: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to copy outputs under one label from a staging channel into the one that it promotes to."""

    #: The channel that is promoted into, and the one that has the candidates.
    channel: str
    staging: str
    #: The feedstock by the name of its repository, which ends in ``-feedstock`` or not; "" for a copy by hand.
    repository: str
    #: The label to be copied from and to; None where the request names none.
    label: str | None
    #: ``<subdir>/<file>`` → hash, hex; None where the request has no such thing.
    outputs: Mapping[str, str] | None
    asker: Asker
    hash_type: str = SHA256
    extent: Extent = Extent.ALL
    #: The CI service, and the commit that it built.
    provider: str | None = None
    git_sha: str | None = None
    #: Whether a refusal is to be told to the people of the feedstock.
    tells: bool = True

    @property
    def feedstock(self) -> str:
        """The feedstock, without ``-feedstock``; "" for a copy by hand."""
        return bare(self.repository)

    @property
    def by_hand(self) -> bool:
        """Whether somebody copies by hand, with a token of this server."""
        return not self.repository

    def resolved(self, hashes: Mapping[str, str]) -> Asked:
        """Return the request for some of its outputs, by the sha256 that was meant when it was asked."""
        return replace(self, outputs=dict(hashes), hash_type=SHA256)

    def fingerprint(self) -> str:
        """Return what is equal for requests that ask for the same, whenever they come and from wherever."""
        plain = asdict(self)
        plain["asker"] = self.asker.actor
        return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def written(self) -> bytes:
        """Return it as JSON, for the copy's row."""
        return orjson.dumps(asdict(self))

    @classmethod
    def read(cls, data: bytes) -> Asked:
        """Read what ``written`` returned."""
        fields: dict[str, Any] = orjson.loads(data)
        return cls(**{**fields, "asker": Asker(**fields["asker"]), "extent": Extent(fields["extent"])})
