"""What a user types to add a channel. Each command puts it first in the list, as ``conda config --add`` does."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from channeld.pages.links import path, to_label
from channeld.pages.values import ChannelPage

#: Stands in the commands for the channel's URL where the page cannot know it, and for the reader's token.
URL_UNKNOWN: Final = "URL"
TOKEN: Final = "TOKEN"  # noqa: S105 - a placeholder


@dataclass(frozen=True, slots=True)
class Command:
    """A line for the shell, and the tools that understand it."""

    tools: str
    line: str

    @property
    def words(self) -> list[str]:
        """The line divided at its spaces: where a narrow page may break it, and nowhere else."""
        return self.line.split(" ")


def channel_url(page: ChannelPage) -> str:
    """Return the URL that names the channel to a client, or a placeholder where the server's is not known.

    A private channel has the placeholder of a token in it: at the root of the host, where conda looks for it.
    """
    if not page.base_url:
        return URL_UNKNOWN
    base = page.base_url.rstrip("/")
    if page.private:
        parts = urlsplit(base)
        base = urlunsplit(parts._replace(path=f"/t/{TOKEN}{parts.path}"))
    frozen = "" if page.snapshot is None else path("snapshot", page.snapshot) + "/"
    return f"{base}/{path(page.channel)}/{frozen}{to_label(page.label)}".rstrip("/")


def commands(url: str) -> tuple[Command, ...]:
    """Return the commands that add the channel of this URL, one for each family of tools."""
    quoted = shlex.quote(url)
    return (
        Command("conda", f"conda config --add channels {quoted}"),
        Command("mamba, micromamba", f"mamba config prepend channels {quoted}"),
        Command("pixi", f"pixi workspace channel add --prepend {quoted}"),
    )
