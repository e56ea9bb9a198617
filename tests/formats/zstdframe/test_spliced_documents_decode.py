"""A document spliced out of pages decodes to the pages and what stands between them, in every decoder."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from channeld.formats.zstdframe import check_frame
from tests.support.zstd_decoders import DECODERS
from tests.support.zstd_documents import EAGER_STARTS, ODD_END, Document, Page, documents, splice

if TYPE_CHECKING:
    from pathlib import Path


def assert_all_decode(document: Document) -> None:
    for name, decode in DECODERS.items():
        assert decode(document.frame) == document.text, name


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_random_documents_decode_to_identical_bytes_and_pass_the_check(document: Document) -> None:
    assert_all_decode(document)
    check_frame(document.frame, len(document.text))


@pytest.mark.parametrize("level", range(1, 20))
def test_pages_that_begin_with_repeats_decode_after_a_page_that_left_odd_offsets(level: int) -> None:
    raws = [raw for start in EAGER_STARTS for raw in (ODD_END, start)]

    assert_all_decode(splice([[Page(raw, level) for raw in raws], [Page(raw, level) for raw in raws[::-1]]]))


def test_a_document_without_any_page_decodes() -> None:
    assert_all_decode(splice([[], []]))


@pytest.mark.parametrize("level", [1, 3, 9, 16, 19])
def test_real_records_in_pages_cut_anywhere_decode(test_data: Path, level: int) -> None:
    path = test_data / "repodata/derived-from-lockfiles/conda-forge/linux-64/repodata.json"
    text = json.dumps(json.loads(path.read_bytes())["packages.conda"], separators=(",", ":")).encode()
    dice = random.Random(level)
    starts = [dice.randrange(len(text)) for _ in range(40)]
    pages = [Page(text[start : start + dice.choice((100, 1_000, 10_000))], level) for start in starts]

    assert_all_decode(splice([pages[:20], pages[20:]]))
