"""What a bot would write on a feedstock whose outputs were refused: what happened, why, and what usually helps. Pure.

It is Markdown, for GitHub. The parts are those of the comments of conda-forge's webservices, in words of our own.
"""

from __future__ import annotations

from typing import Final

from channeld.promotion.asking import Asked
from channeld.promotion.outcomes import Outcome

_HELP: Final = """\
What usually helps:

- The token of the feedstock may have ended: ask for it to be reset.
- A new output is accepted once it is registered for the feedstock, or once a glob of the feedstock matches its name.
- Bytes differ from what was announced when a build was uploaded twice: build again, with a higher build number, and
  upload that.
"""
_NOT_ALLOWED: Final = """
Outputs that are not allowed belong to another feedstock, or to none yet: ask for them to be added to this one.
"""


def comment(asked: Asked, outcome: Outcome) -> str:
    """Write the comment about a refusal; "" for a copy by hand, which is about no feedstock."""
    if asked.by_hand:
        return ""
    commit = f" of the commit {_plain(asked.git_sha)}" if asked.git_sha else ""
    way = f"from the staging channel ({asked.staging}) to {asked.channel}"
    parts = [
        f"Hi @{asked.channel}/{asked.feedstock}! Some packages{commit} were not copied {way}.\n",
        _listed("Copied:", [f"**{_plain(each.key)}**: {_yes(each.fate.copied)}" for each in outcome.outputs]),
        _listed("Errors:", [_plain(error) for error in outcome.errors]),
        _HELP,
    ]
    if any("not allowed for" in error for error in outcome.errors):
        parts.append(_NOT_ALLOWED)
    return "\n".join(part for part in parts if part)


def _listed(title: str, items: list[str]) -> str:
    return "\n".join((title, "", *(f"- {item}" for item in items), "")) if items else ""


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _plain(text: str | None) -> str:
    """Return a text that somebody sent as it may stand in Markdown: on one line, and calling nobody."""
    line = " ".join((text or "").split())[:400]
    return line.replace("@", "@\N{ZERO WIDTH SPACE}").replace("<", "&lt;")
