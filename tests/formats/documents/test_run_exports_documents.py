"""A run_exports.json assembled from its layout is the one that conda-index would write (CEP 12)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.layout import canonical_json
from channeld.formats.runexports import SECTION_OF, normal_run_exports, run_exports_entry, run_exports_layout

SPECS = st.lists(st.text(min_size=1, max_size=8), max_size=3)
RUN_EXPORTS = st.dictionaries(st.sampled_from(["weak", "strong", "noarch"]), SPECS)
FILES = st.dictionaries(st.from_regex(r"[a-z]{1,4}-[0-9]-[0-9]", fullmatch=True), RUN_EXPORTS, max_size=6)


@given(FILES, FILES)
@settings(deadline=None)
def test_random_entries_make_the_document_that_conda_index_writes(
    tar_bz2: dict[str, Any], conda: dict[str, Any]
) -> None:
    # conda_index.index.ChannelIndex.build_run_exports_data
    expected = {
        "packages": {f"{stem}.tar.bz2": {"run_exports": value} for stem, value in tar_bz2.items()},
        "packages.conda": {f"{stem}.conda": {"run_exports": value} for stem, value in conda.items()},
        "info": {"subdir": "noarch", "version": 1},
    }
    entries = {
        "packages": [run_exports_entry(f"{s}.tar.bz2", canonical_json(tar_bz2[s])) for s in sorted(tar_bz2)],
        "packages.conda": [run_exports_entry(f"{s}.conda", canonical_json(conda[s])) for s in sorted(conda)],
    }
    document = run_exports_layout("noarch").assemble(entries)
    assert json.loads(document) == json.loads(json.dumps(expected, sort_keys=True, separators=(",", ":")))
    assert list(json.loads(document)) == ["info", "packages", "packages.conda"]


def test_a_file_without_run_exports_has_an_empty_entry() -> None:
    assert run_exports_entry("alpha-1-0.conda", b"{}") == b'"alpha-1-0.conda":{"run_exports":{}}'


def test_files_under_v3_have_their_place_among_the_others() -> None:
    layout = run_exports_layout("noarch")
    assert {SECTION_OF[section] for section in ("v3.conda", "v3.tar.bz2")} == set(layout.sections)
    assert SECTION_OF["v3.conda"] == "packages.conda"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (None, {}),
        ({}, {}),
        ([], {}),
        ("", {}),
        ("a >=1", {"weak": ["a >=1"]}),
        (["a >=1", "b"], {"weak": ["a >=1", "b"]}),
        ({"strong": "a"}, {"strong": ["a"]}),
        ({"weak": ["a"], "strong": [], "weak_constrains": None}, {"weak": ["a"]}),
        ({"schema_version": 2, "weak": ["a"], "pin": ["b"]}, {"weak": ["a"]}),
        ({"weak": ["a", None, 7, ["b"]]}, {"weak": ["a"]}),
        (7, {}),
        (
            {kind: [kind] for kind in ("weak_constrains", "weak", "strong_constrains", "strong", "noarch")},
            {kind: [kind] for kind in ("noarch", "strong", "strong_constrains", "weak", "weak_constrains")},
        ),
    ],
)
def test_run_exports_of_all_ages_take_the_form_of_the_standard(
    written: object, normal: dict[str, Any]
) -> None:
    assert normal_run_exports(written) == normal
    assert normal_run_exports(normal_run_exports(written)) == normal
