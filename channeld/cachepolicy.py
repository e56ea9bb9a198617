"""How long an answer may be kept: the one table. Whatever is deployed in front of channeld is checked against it.

Sources: RFC 9111 (HTTP caching), RFC 8246 (``immutable``), CEP 16 (shard indexes 60 s to 1 h, shards immutable).

Rules:

- Every answer names a ``max-age``. Without one mamba keeps a document for an hour; it does not see ``no-cache`` alone.
- All documents of a channel have the same age, so that no client holds a new ``linux-64`` next to an old ``noarch``
  for longer than that. It is 60 s by default, the least that CEP 16 names: it bounds what a publication waits for
  where nothing purges, and a client that asks again gets a 304.
- A 404 is kept for seconds only: the package that somebody waits for must not be hidden by its own absence.
- A private channel has the same ages for its readers, and no shared cache may keep its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from channeld.settings.sections import Cache

#: One year in seconds, the longest age that caches promise to understand.
YEAR_SECONDS: Final = 31_536_000


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """For how many seconds an answer is fresh, and whether its bytes can ever change under this URL."""

    max_age: int
    immutable: bool = False

    @property
    def public(self) -> str:
        """The value of ``Cache-Control`` where everybody may read."""
        return f"public, {self._freshness}"

    @property
    def private(self) -> str:
        """The value of ``Cache-Control`` where a token is needed."""
        return f"private, {self._freshness}"

    @property
    def _freshness(self) -> str:
        return f"max-age={self.max_age}, immutable" if self.immutable else f"max-age={self.max_age}"


#: What is named by its hash, or under a name that is never given to other bytes.
IMMUTABLE: Final = CachePolicy(YEAR_SECONDS, immutable=True)

#: ``Cache-Control`` of every error but 404, of answers to writes, and of whatever shows a token or an account.
NO_STORE: Final = "no-store"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTable:
    """One policy for each sort of thing that is served. ``CacheTable()`` is the table of the default settings."""

    #: Everything that changes under its name: repodata and its siblings, shard indexes, channeldata, notices, pages.
    documents: CachePolicy = CachePolicy(60)
    #: The same below ``/snapshot/<revision>/``. Its bytes do not change, but what had to be deleted disappears.
    snapshots: CachePolicy = CachePolicy(3600)
    #: Named by their hash.
    shards: CachePolicy = IMMUTABLE
    #: A file name never gets other bytes.
    artifacts: CachePolicy = IMMUTABLE
    #: In a staging channel one name may stand for one candidate today and for another one tomorrow.
    staged_artifacts: CachePolicy = CachePolicy(60)
    #: 404.
    not_found: CachePolicy = CachePolicy(10)

    @classmethod
    def of(cls, settings: Cache) -> CacheTable:
        """Return the table with the ages that the operator chose."""
        mutable = CachePolicy(settings.mutable_max_age_seconds)
        return cls(
            documents=mutable,
            staged_artifacts=mutable,
            not_found=CachePolicy(settings.not_found_max_age_seconds),
        )
