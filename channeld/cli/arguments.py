"""Kinds of arguments that several commands take."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhdw]?)")
_LONGEST: Final = timedelta(days=365 * 100)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FILE: Final = re.compile(r"(?:(?P<subdir>[^/]+)/)?(?P<filename>[^/]+\.(?:conda|tar\.bz2))")


class Duration(click.ParamType[int]):
    """A number of seconds, or of minutes, hours, days or weeks: 90, 30m, 12h, 30d, 2w."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is no duration such as 90, 30m, 12h, 30d or 2w.", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


class Moment(click.ParamType[str]):
    """A date, a time (RFC 3339), or how long ago: 2024-05-01, 2024-05-01T12:00:00Z, 2h, 30d."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if (found := _DURATION.fullmatch(value)) is not None and found[2]:
            ago = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
            return (datetime.now(UTC) - min(ago, _LONGEST)).isoformat(timespec="milliseconds")
        try:
            datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date, time or duration, such as 2024-05-01 or 2h.", param, ctx)
        return str(value)


class Selection(click.ParamType[dict[str, str]]):
    """Files of a channel: FILE, SUBDIR/FILE, PACKAGE or PACKAGE=VERSION."""

    name = "what"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        if (found := _FILE.fullmatch(value)) is not None:
            return {name: text for name, text in found.groupdict().items() if text}
        package, _, version = value.partition("=")
        version = version.removeprefix("=")
        if not package or "/" in value or ("=" in value and not version):
            self.fail(f"{value!r} is neither a file name, a package nor a package=version.", param, ctx)
        return {"name": package, "version": version} if version else {"name": package}


class FileOfChannel(click.ParamType[tuple[str, str]]):
    """One file of a channel: SUBDIR/FILE."""

    name = "subdir/file"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        subdir, slash, filename = value.partition("/")
        if not (subdir and slash and filename) or "/" in filename:
            self.fail(f"{value!r} is not of the form SUBDIR/FILE.", param, ctx)
        return subdir, filename


class OutputToCopy(click.ParamType[tuple[str, str]]):
    """One package to copy and its hash, "" for none: SUBDIR/FILE or SUBDIR/FILE=SHA256."""

    name = "subdir/file[=sha256]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        output, _, sha256 = value.partition("=")
        if output.count("/") != 1 or ("=" in value and _SHA256.fullmatch(sha256) is None):
            self.fail(f"{value!r} is not of the form SUBDIR/FILE or SUBDIR/FILE=SHA256.", param, ctx)
        return output, sha256


what_argument = click.argument("what", nargs=-1, type=Selection(), metavar="[WHAT]...")
reason_option = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
