"""``channeld status``: how a running server is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.output import counted, print_facts, print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.client import Client


#: How long a change may wait before somebody should be at work on it.
_OVERDUE_SECONDS: Final = 5


@click.command()
@json_option
@talks_to_server
def status(client: Client, as_json: bool) -> None:
    """Show how a running server is: who publishes, what waits, how much room there is."""
    answer = client.ask("GET", "/status")
    if as_json:
        print_json(answer)
        return
    _print(client.target.url, answer)


def _print(url: str, status: dict[str, Any]) -> None:
    from channeld.pages.human import size

    counts, disk = status["counts"], status["disk"]
    print_facts(
        [
            ("server", f"{url}, channeld {status['version']}, up {_duration(status['uptime_seconds'])}"),
            ("catalog", status["catalog"]),
            ("holds", _counts(counts)),
            ("tokens", f"{counts['tokens']:,} valid"),
            (
                "disk",
                f"{size(disk['free_bytes'])} free, {size(disk['reserve_bytes'])} kept in reserve"
                + ("" if disk["accepts_uploads"] else ": UPLOADS ARE REFUSED"),
            ),
            ("indexer", _indexer(status["indexer"], status["waiting"])),
            ("waiting", _waiting(status["waiting"])),
        ]
    )
    if status["waiting"]:
        rows = [
            (
                f"{each['channel']}/{each['label']}",
                each["subdir"],
                each["changes"],
                _duration(each["age_seconds"]),
            )
            for each in status["waiting"]
        ]
        print_table(("index", "subdir", "changes", "waits"), rows)


def _counts(counts: dict[str, int]) -> str:
    kinds = (("channels", "channel"), ("labels", "label"), ("files", "file"), ("artifacts", "artifact"))
    return ", ".join(counted(counts[kind], one) for kind, one in kinds)


def _indexer(state: dict[str, Any], waiting: list[dict[str, Any]]) -> str:
    if state["trouble"]:
        return f"IN TROUBLE: {state['trouble']}"
    if state["active"]:
        return f"at work ({state['holder']})"
    # The work is taken up when there is some, so that nobody holds it is a bad sign only while something waits.
    overdue = any(each["age_seconds"] >= _OVERDUE_SECONDS for each in waiting)
    return "NOBODY PUBLISHES what waits: is there a process that indexes?" if overdue else "idle"


def _waiting(views: list[dict[str, Any]]) -> str:
    if not views:
        return "nothing: everything is live"
    oldest = max(each["age_seconds"] for each in views)
    return f"{counted(len(views), 'index', 'indexes')}, the longest for {_duration(oldest)}"


def _duration(seconds: int) -> str:
    """Write a duration in its two largest units."""
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size or (unit == "s" and not parts):
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2])
