"""A channeldata.json assembled from its layout (CEP 38)."""

from __future__ import annotations

import json

import orjson

from channeld.formats.channeldata import channeldata_layout, package_entry
from channeld.formats.layout import canonical_json, entry
from tests.support.reference_files import reference_file


def test_the_document_has_the_packages_and_the_subdirs() -> None:
    entries = {name: package_entry([reference_file(about={"summary": name})]) for name in ("beta", "alpha")}
    layout = channeldata_layout({"noarch", "linux-64"})
    document = layout.assemble({"packages": [entry(n, canonical_json(entries[n])) for n in sorted(entries)]})
    expected = {"channeldata_version": 1, "packages": entries, "subdirs": ["linux-64", "noarch"]}
    assert json.loads(document) == expected
    assert list(orjson.loads(document)) == sorted(expected)
    assert list(orjson.loads(document)["packages"]) == ["alpha", "beta"]


def test_a_channel_without_packages_has_its_subdirs() -> None:
    assert json.loads(channeldata_layout(["noarch"]).assemble({})) == {
        "channeldata_version": 1,
        "packages": {},
        "subdirs": ["noarch"],
    }
