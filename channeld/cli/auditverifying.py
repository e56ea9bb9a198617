"""``channeld audit verify``: against the catalog itself, without a server and without a change to anything."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import click

from channeld.catalog import schema
from channeld.catalog.chain import Noted
from channeld.catalog.database import open_database
from channeld.catalog.tampering import Finding
from channeld.catalog.verifying import Verified, verify
from channeld.cli.datafolder import require_catalog
from channeld.cli.output import counted, print_json
from channeld.instance import database_url
from channeld.settings import Settings

#: The exit status for an audit that is not as it was sealed.
TAMPERED: Final = 4
#: Findings that are kept for JSON.
_MOST: Final = 1000
_REDRAW_SECONDS: Final = 0.2


def run(settings: Settings, noted_text: str | None, as_json: bool) -> int:
    """Verify, print what is found, and return the exit status.

    Raises:
        HeadMalformed, SchemaTooOld, SchemaTooNew, Failure: it cannot be verified.
        CatalogUnavailable: not now.
    """
    noted = None if noted_text is None else Noted.parse(noted_text)
    findings: list[Finding] = []
    bar = _Bar()

    def found(finding: Finding) -> None:
        if as_json:
            findings.extend([finding] if len(findings) < _MOST else [])
        else:
            bar.clear()
            click.echo(finding.sentence())

    require_catalog(settings)
    database = open_database(database_url(settings))
    try:
        schema.check(database)
        result = verify(database, noted, found, bar.show)
    finally:
        bar.clear()
        database.close()
    if as_json:
        print_json(_as_json(result, noted, findings))
    else:
        _say(result, noted)
    return 0 if result.is_sound else TAMPERED


def _say(result: Verified, noted: Noted | None) -> None:
    rows, seals = counted(result.rows, "row"), counted(result.seals, "seal")
    if result.is_sound:
        click.echo(f"{rows} in {seals}: all as they were sealed. The head is {result.head}.")
        if noted is None:
            click.echo("Whether the end was cut off only a head tells that was noted earlier: --head.")
    else:
        click.echo(f"{counted(result.findings, 'finding')}. {rows} in {seals} are as they were sealed.")
    if result.waiting:
        click.echo(f"Not sealed yet, so that nothing vouches for it: {counted(result.waiting, 'row')}.")


def _as_json(result: Verified, noted: Noted | None, findings: list[Finding]) -> dict[str, Any]:
    return {
        "sound": result.is_sound,
        "head": str(result.head),
        "noted": noted is not None,
        "rows": result.rows,
        "seals": result.seals,
        "waiting": result.waiting,
        "findings": result.findings,
        "found": [finding.as_json() for finding in findings],
    }


class _Bar:
    """How far it is, on a terminal."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._drawn = 0.0

    def show(self, done: int, total: int) -> None:
        """Draw it, now and then."""
        now = time.monotonic()
        if self._live and now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            click.echo(f"\r{done:,} of {total:,} rows", nl=False, err=True)

    def clear(self) -> None:
        """Take it off the screen."""
        if self._live and self._drawn:
            click.echo("\r\x1b[2K", nl=False, err=True)
