"""The fields of a record, one by one: what each may be, and what is made of it when it is something else.

Under ``Naming.STRICT`` a wrong type is refused. Under ``Naming.LEGACY`` the oddities of published packages are put
right, as conda reads them; what has no clear meaning is refused there too. Fields that clients do not read pass as they
are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from channeld.formats.metadata_rejections import (
    ExtraGroupMalformed,
    FieldMissing,
    FieldMistyped,
    FlagMalformed,
    NoarchUnknown,
    TimestampInFuture,
)
from channeld.formats.names import NOARCH, Naming
from channeld.formats.rejections import shown

#: Clocks of build machines may be ahead of ours by this many milliseconds.
CLOCK_SKEW_MS: Final = 5 * 60 * 1000
#: The last second of the year 9999: what is larger is in milliseconds (conda-build, conda-index and rattler agree).
_LAST_SECOND: Final = 253_402_300_799
#: rattler reads build numbers as u64, libsolv and SQL as i64.
_BUILD_NUMBER_LIMIT: Final = 2**63 - 1

#: Fields that rattler reads as one string, and what joins the lists that old tools wrote.
_TEXTS: Final = {
    "license": ", ",
    "license_family": ", ",
    "features": " ",
    "track_features": " ",
    "python_site_packages_path": "",
}
_SELDOM: Final = frozenset({"legacy_bz2_md5", "legacy_bz2_size", "purls"})
_STRINGS: Final = frozenset({str})
_EXTRA_GROUP: Final = re.compile(r"[a-z0-9_.+-]{1,64}")
_FLAG: Final = re.compile(r"[a-z0-9_]+(:[a-z0-9_]+)?")
_MD5: Final = re.compile(r"[0-9a-f]{32}")
_PURL: Final = re.compile(r"pkg:[a-z][a-z0-9.+-]*/[A-Za-z0-9][A-Za-z0-9._~%/@:+?=&#-]*")

#: From before there was a subdir: conda's platform and arch.
_OLD_SUBDIRS: Final = {
    ("linux", "x86_64"): "linux-64",
    ("linux", "x86"): "linux-32",
    ("linux", "armv6l"): "linux-armv6l",
    ("linux", "armv7l"): "linux-armv7l",
    ("linux", "ppc64le"): "linux-ppc64le",
    ("osx", "x86_64"): "osx-64",
    ("win", "x86_64"): "win-64",
    ("win", "x86"): "win-32",
    (None, None): NOARCH,
}


def require_text(record: Mapping[str, Any], field: str) -> str:
    """Return a field that has to be a string."""
    value = record.get(field)
    if value is None:
        raise FieldMissing(field)
    if not isinstance(value, str):
        raise FieldMistyped(field, shown(value), "a string")
    return value


def subdir(index: Mapping[str, Any], policy: Naming) -> str:
    """Return the subdir; of packages from before there was one, what their platform and arch mean."""
    if index.get("subdir") is None and policy is Naming.LEGACY:
        key = (index.get("platform"), index.get("arch"))
        try:
            return _OLD_SUBDIRS[key]
        except (KeyError, TypeError):
            raise FieldMissing("subdir") from None
    return require_text(index, "subdir")


def build_number(record: Mapping[str, Any], policy: Naming) -> int:
    """Return the build number: an integer from 0 to 2**63 - 1 (CEP 34)."""
    value = record.get("build_number")
    if value is None:
        raise FieldMissing("build_number")
    number = value
    if policy is Naming.LEGACY and isinstance(value, float) and value.is_integer():
        number = int(value)
    elif policy is Naming.LEGACY and isinstance(value, str) and value.isascii() and value.isdigit():
        number = int(value[:20])
    if type(number) is not int or not 0 <= number <= _BUILD_NUMBER_LIMIT:
        raise FieldMistyped("build_number", shown(value), "an integer from 0 to 9223372036854775807")
    return number


def timestamp(record: Mapping[str, Any], policy: Naming, now_ms: int) -> int | None:
    """Return when the build began, in milliseconds (CEP 34); old packages say it in seconds, some in fractions.

    Raises:
        FieldMistyped, TimestampInFuture
    """
    value = record.get("timestamp")
    if value is None:
        return None
    is_seconds = isinstance(value, int | float) and value <= _LAST_SECOND
    if type(value) is int and value >= 0:
        milliseconds = value * 1000 if is_seconds else value
    elif policy is Naming.LEGACY and type(value) is float and 0 <= value < 2**63:
        milliseconds = int(value * 1000 if is_seconds else value)
    else:
        raise FieldMistyped("timestamp", shown(value), "an integer of milliseconds")
    if milliseconds > now_ms + CLOCK_SKEW_MS:
        raise TimestampInFuture(milliseconds, now_ms)
    return milliseconds


def noarch(record: Mapping[str, Any], policy: Naming) -> str | None:
    """Return ``generic``, ``python`` or nothing. Without it, a package in ``noarch`` is generic to all clients."""
    value = record.get("noarch")
    if value is None:
        return None
    if policy is Naming.LEGACY:
        if value is True:
            return "generic"
        if value is False or value == "":
            return None
        value = value.lower() if isinstance(value, str) else value
    if not isinstance(value, str) or value not in {"generic", "python"}:
        raise NoarchUnknown(shown(record["noarch"]))
    return value


def schema_version(record: Mapping[str, Any]) -> int:
    """Return the version of index.json's schema: 1 where none is given (CEP 34).

    rattler-build wrote ``repodata_revision`` before CEP 48 was accepted; it means the same.
    """
    versions = [1]
    for field in ("schema_version", "repodata_revision"):
        value = record.get(field, 1)
        if type(value) is not int or value < 0:
            raise FieldMistyped(field, shown(value), "an integer from 0")
        versions.append(value)
    return max(versions)


def spec_list(field: str, value: Any, policy: Naming) -> list[str]:
    """Return a list of match specifications; a lone string is a list of one to old tools."""
    if policy is Naming.LEGACY and isinstance(value, str):
        return [value] if value.strip() else []
    if not isinstance(value, list) or not _STRINGS.issuperset(map(type, value)):
        raise FieldMistyped(field, shown(value), "a list of strings")
    return value


def extra_depends(record: dict[str, Any]) -> dict[str, list[str]]:
    """Return the groups of optional dependencies, and drop the field if it has none (CEP 44)."""
    if "extra_depends" not in record:
        return {}
    value = record["extra_depends"]
    if not isinstance(value, dict):
        raise FieldMistyped("extra_depends", shown(value), "an object")
    for group, specs in value.items():
        if not isinstance(group, str) or _EXTRA_GROUP.fullmatch(group) is None:
            raise ExtraGroupMalformed(shown(group))
        spec_list(f"extra_depends.{group}", specs, Naming.STRICT)
    if not value:
        record.pop("extra_depends", None)
    return value


def flags(record: dict[str, Any]) -> list[str]:
    """Return the flags, and drop the field if it has none (CEP 45)."""
    if "flags" not in record:
        return []
    value = record["flags"]
    if not isinstance(value, list):
        raise FieldMistyped("flags", shown(value), "a list of strings")
    for flag in value:
        if not isinstance(flag, str) or _FLAG.fullmatch(flag) is None:
            raise FlagMalformed(shown(flag))
    if not value:
        record.pop("flags", None)
    return value


def normalise_texts(record: dict[str, Any], policy: Naming) -> None:
    """Make strings of the fields that rattler reads as such, and check the few others that it parses."""
    for field, joint in _TEXTS.items():
        if field not in record:
            continue
        value = record[field]
        if (
            policy is Naming.LEGACY
            and isinstance(value, list)
            and all(isinstance(part, str) for part in value)
        ):
            value = joint.join(value)
        if not isinstance(value, str):
            raise FieldMistyped(field, shown(value), "a string")
        if value or field != "track_features":
            record[field] = value
        else:
            del record[field]
    if _SELDOM.isdisjoint(record):
        return
    _check_or_drop(
        record, "legacy_bz2_md5", policy, lambda value: isinstance(value, str) and bool(_MD5.fullmatch(value))
    )
    _check_or_drop(record, "legacy_bz2_size", policy, lambda value: type(value) is int and value >= 0)
    _check_or_drop(record, "purls", policy, _are_purls)


def _are_purls(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(purl, str) and _PURL.fullmatch(purl) for purl in value)


def _check_or_drop(
    record: dict[str, Any], field: str, policy: Naming, is_right: Callable[[Any], bool]
) -> None:
    """Refuse a field that rattler would stumble over; of a published package, leave it out."""
    if field in record and not is_right(record[field]):
        if policy is Naming.STRICT:
            raise FieldMistyped(field, shown(record[field]), "what clients can read")
        del record[field]
