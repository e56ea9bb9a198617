"""Every rule that can refuse a request has its status decided, here, and speaks in full sentences."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import channeld
from channeld.catalog.views import ViewKey
from channeld.errors import ChanneldError, Rejected, Unavailable, code_of
from channeld.indexing.packs import PieceDamaged
from channeld.promotion.requests import Problem
from channeld.web.errors import status_for

#: Rules whose status is not 422.
STATUSES = {
    400: {
        "BadBody", "BadField", "BadRequest", "BodyCutShort", "BodyNotJson", "ChecksumMalformed", "EmptyUpload",
        "FieldAbsent", "FieldUnknown", "FieldWrong", "SeveralPairs", "RequestMalformed", "RequestWithoutChannel",
    },
    401: {"FeedstockTokenInvalid", "TokenInvalid", "TokenRequired"},
    403: {"CandidateOfAnother", "LabelClosed", "NoPasswords", "NotAllowed"},
    404: {
        "ChannelMissing", "CopyMissing", "FileMissing", "LabelMissing", "NothingHere", "NoticeMissing",
        "PackageMissing", "TokenMissing", "UploadUnknown", "WebhookMissing", "DeliveryMissing",
        "FeedstockMissing", "FeedstockTokenMissing", "GlobMissing", "OutputNotRegistered",
    },
    405: {"MethodNotKnown"},
    408: {"BodyStalled"},
    409: {
        "CandidateAmbiguous", "ChannelExists", "ChannelNotEmpty", "FileConflict", "LabelLocked", "LabelPermanent",
        "TooManyFeedstockTokens", "TooManyWebhooks", "WebhookPaused", "DeliveryDone",
    },
    413: {"BodyTooLarge", "PackageTooLarge"},
    415: {"BodyEncoded"},
    429: {"TooManyFailures", "TooManyTokenChecks"},
}  # fmt: skip

#: Whatever breaks a rule of the formats is 422: it was understood, and is wrong.
UNPROCESSABLE = {
    "AddressRefused", "WebhookUrlRefused",
    "AttestationNotKept", "BadSettingValue", "ChecksumMismatch", "CopyOfBroken", "CopyRefused", "ForceRefused",
    "GrantMalformed", "NothingPromotes", "RequestKeyReused",
    "BytesUnfit", "ChangedMeanwhile", "CopyIntoItself", "DeletedThere", "NotUnderLabel", "OtherBytes",
    "RequestAboutStaging", "RequestRefused", "FeedstockNameMalformed",
    "GlobMalformed", "LabelBothWays", "NothingSelected", "OutputTooShort", "PinMalformed", "RegistryFileMalformed",
    "ReservedChannelName", "RevisionMessageTooLong", "SubdirContradicted", "TokenFileMalformed", "ValueUnstorable",
}  # fmt: skip
FORMATS = {"BadName", "BadArchive", "BadMetadata", "BadRelation", "BadNotice"}

#: Packages whose rules are told on a terminal or in a log, never to a client.
NOT_HTTP = ("channeld.settings", "channeld.backup", "channeld.cold", "channeld.cli")
NOT_TOLD = {
    "DatabaseUnsupported",
    "HeadMalformed",
    "SchemaTooNew",
    "SchemaTooOld",
    "ShardTooLarge",
    "ShardUnreadable",
}

#: A sentence may begin with the name of a file.
FILES = ("metadata.json ", "info/index.json ", "some-text ", "some-text/")

#: What is a sentence by itself.
SENTENCES = {
    ("ChannelStuck", "problem"): "It is stuck.",
    ("NotAllowed", "lacks"): "It lacks something.",
    ("LabelClosed", "lacks"): "It is locked.",
    ("WebhookUrlRefused", "problem"): "is wrong",
}

VALUES: dict[str, Any] = {
    "str": "some-text", "int": 7, "float": 1.5, "bool": True, "int | None": None, "tuple[str, ...]": ("a", "b"),
    "Any": "anything", "object": "anything", "Sequence[str]": ("a", "b"), "str | None": "some-text",
    "tuple[Problem, ...]": (Problem("packages[0]", "has to be a text", 3),),
    "tuple[dict[str, str], ...]": ({"key": "packages[0]", "outcome": "refused", "text": "It is not there."},),
    "ViewKey": ViewKey(1, 2, "noarch", "chan", "main"), "PieceDamaged": PieceDamaged("pack", 7, "it is cut short"),
}  # fmt: skip


def _rules() -> list[type[ChanneldError]]:
    for module in pkgutil.walk_packages(channeld.__path__, "channeld."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [rule for rule in _below(ChanneldError) if rule.__module__.startswith("channeld.")]


def _below(base: type[ChanneldError]) -> Iterator[type[ChanneldError]]:
    for rule in base.__subclasses__():
        yield rule
        yield from _below(rule)


ALL = _rules()
RULES = [rule for rule in ALL if issubclass(rule, Rejected) and rule is not Rejected]
CONCRETE = [rule for rule in ALL if dataclasses.is_dataclass(rule)]


def _example(rule: type[ChanneldError]) -> ChanneldError:
    return rule(
        **{
            field.name: SENTENCES.get((rule.__name__, field.name)) or VALUES[str(field.type)]
            for field in dataclasses.fields(typing.cast(Any, rule))
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        }
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.__module__}.{rule.__name__}")
def test_its_status_is_decided(rule: type[Rejected]) -> None:
    name = rule.__name__
    if rule.__module__.startswith(NOT_HTTP) or name in NOT_TOLD:
        return
    decided = [status for status, names in STATUSES.items() if name in names]
    formats = {base.__name__ for base in rule.__mro__} & FORMATS
    if not decided and (formats or name in UNPROCESSABLE):
        decided = [422]
    assert decided == [status_for(rule)]


@pytest.mark.parametrize("rule", CONCRETE, ids=lambda rule: f"{rule.__module__}.{rule.__name__}")
def test_it_speaks_in_full_sentences(rule: type[ChanneldError]) -> None:
    error = _example(rule)
    for text in (error.sentence(), *([error.advice] if error.advice else [])):
        assert text.endswith((".", "…")), text
        assert text == text.strip()
        assert "  " not in text
        assert len(text.split()) >= 2
        assert text[0].isupper() or text[0] in "'`" or text[0].isdigit() or text.startswith(FILES), text
    assert str(error) == f"{error.sentence()} {error.advice}".strip()
    assert error.detail().keys() == {
        field.name for field in dataclasses.fields(typing.cast(Any, rule)) if field.name != "advice"
    } | ({"advice"} & error.detail().keys())


def test_trouble_is_503() -> None:
    assert {status_for(rule) for rule in ALL if issubclass(rule, Unavailable)} == {503}


def test_codes_tell_the_rules_of_requests_apart() -> None:
    codes: dict[str, set[str]] = {}
    for rule in ALL:
        if not rule.__module__.startswith(NOT_HTTP):
            codes.setdefault(code_of(rule), set()).add(rule.__module__)
    assert {code: modules for code, modules in codes.items() if len(modules) > 1} == {}
