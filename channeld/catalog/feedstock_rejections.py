"""What the catalog refuses about feedstocks, their tokens and outputs, one class for each rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from channeld.errors import Rejected


@dataclass(eq=False)
class FeedstockMissing(Rejected):
    """The channel has no such feedstock."""

    channel: str
    feedstock: str

    advice: ClassVar[str] = "Check the name, which is without -feedstock, or register it."

    def sentence(self) -> str:
        return f"The channel {self.channel!r} has no feedstock {self.feedstock!r}."


@dataclass(eq=False)
class FeedstockNameMalformed(Rejected):
    """A name that no feedstock can have. It goes into URLs and file names, so it is no more than a package's name."""

    feedstock: str

    advice: ClassVar[str] = (
        "Use at most 64 letters, digits, '_', '-' and '.', beginning with a letter, a digit or one underscore, "
        "and leave out -feedstock."
    )

    def sentence(self) -> str:
        return f"{self.feedstock!r} is not the name of a feedstock."


@dataclass(eq=False)
class FeedstockTokenMissing(Rejected):
    """The feedstock has no such token, or no longer."""

    channel: str
    feedstock: str
    token: int

    advice: ClassVar[str] = "List the feedstock's tokens to see their ids."

    def sentence(self) -> str:
        return (
            f"The feedstock {self.feedstock!r} of the channel {self.channel!r} has no token "
            f"with the id {self.token}."
        )


@dataclass(eq=False)
class TooManyFeedstockTokens(Rejected):
    """Every wrong token is compared with as many as a feedstock may have, so these are few."""

    feedstock: str
    #: The CI service that could use too many; None where those for every service are too many already.
    provider: str | None
    limit: int

    advice: ClassVar[str] = "Revoke those that are no longer used, or let them end: rotate instead of adding."

    def sentence(self) -> str:
        whom = f"{self.provider!r}" if self.provider is not None else "every provider"
        return f"The feedstock {self.feedstock!r} would have more than {self.limit} tokens for {whom}."


@dataclass(eq=False)
class OutputNotRegistered(Rejected):
    """What is to be taken from a feedstock is not its."""

    channel: str
    output: str
    feedstock: str

    advice: ClassVar[str] = "List the outputs of the feedstock."

    def sentence(self) -> str:
        return (
            f"The output {self.output!r} is not registered for the feedstock {self.feedstock!r} "
            f"in the channel {self.channel!r}."
        )


@dataclass(eq=False)
class GlobMissing(Rejected):
    """The feedstock has no such glob."""

    channel: str
    glob: str
    feedstock: str

    advice: ClassVar[str] = "List the globs of the feedstock; they are compared letter for letter."

    def sentence(self) -> str:
        return f"The feedstock {self.feedstock!r} of the channel {self.channel!r} has no glob {self.glob!r}."
