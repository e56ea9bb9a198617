"""The pages know by name what is served; they import nothing, so a test holds the two together."""

from __future__ import annotations

from channeld.formats import names
from channeld.pages.glossary import DOCUMENTS, PLATFORMS
from channeld.pages.links import PAGE
from channeld.pages.values import DEFAULT_LABEL
from channeld.web import urls


def test_every_document_has_a_description() -> None:
    assert DOCUMENTS.keys() == urls.CHANNEL_DOCUMENTS.keys() | urls.SUBDIR_DOCUMENTS.keys()


def test_every_known_subdir_has_a_description() -> None:
    assert PLATFORMS.keys() == names.KNOWN_SUBDIRS


def test_the_names_are_the_same() -> None:
    assert (DEFAULT_LABEL, PAGE) == (names.DEFAULT_LABEL, urls.PAGE)
