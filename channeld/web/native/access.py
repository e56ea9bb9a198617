"""Who may look at a channel through the API: the same as may read its documents.

A public channel is everybody's. A private one is read with a token that has the right ``read`` on it: without a token
401, with one that does not reach it 403 in words, as for its documents. Grants on some of its labels show these labels,
and no file that carries none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from channeld.catalog import channels
from channeld.catalog.channels import Channel
from channeld.catalog.grants import ALL, Grant, Verb, may_allow, missing
from channeld.web.auth import NotAllowed
from channeld.web.native.route import Call


@dataclass(frozen=True, slots=True)
class Sight:
    """What one caller may see of one channel. ``grants`` is None for a public channel, where that is everything."""

    channel: Channel
    grants: tuple[Grant, ...] | None

    def shows(self, label: str) -> bool:
        """Tell whether a label may be seen."""
        return self.grants is None or may_allow(self.grants, Verb.READ, self.channel.name, label)

    @property
    def shows_all(self) -> bool:
        """Tell whether every label may be seen, and files that carry none."""
        return self.grants is None or any(
            grant.labels == ALL and may_allow([grant], Verb.READ, self.channel.name) for grant in self.grants
        )

    def check(self, label: str | None) -> None:
        """Make sure that a label may be seen, or all of them for None; raises ``NotAllowed``."""
        if not (self.shows_all if label is None else self.shows(label)):
            raise NotAllowed(missing(self.grants or (), Verb.READ, self.channel.name, label))


async def sight_of(call: Call, name: str) -> Sight:
    """Find a channel that is to be looked at.

    Raises:
        ChannelMissing: there is none of that name.
        TokenRequired, TokenInvalid, NotAllowed: it is private, and not for this caller.
    """
    channel = await call.read(lambda connection: channels.get(connection, name))
    if not channel.settings.private:
        return Sight(channel, None)
    token = await call.services.auth.token(call.request, f"Reading the private channel {name!r}")
    if not sees(token.grants, name):
        raise NotAllowed(missing(token.grants, Verb.READ, name))
    return Sight(channel, token.grants)


def sees(grants: Sequence[Grant], channel: str) -> bool:
    """Tell whether grants allow to read anything of a channel."""
    return may_allow(grants, Verb.READ, channel)
