"""Rule: what is made anew is cut where it was cut before, so that what has not changed is the same page again."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.indexing.pagetable import Page
from channeld.indexing.paging import Cutter, Draft, Edits, PageSize, edit
from tests.support.pagemodel import CHANGES, SIZES, Entries, Store, apply, check_pages, entries_of, entry


def stream(model: Entries, size: PageSize, earlier: Sequence[Page] = ()) -> list[Draft]:
    """Cut entries that come by in order."""
    cutter = Cutter(size, earlier)
    drafts = [cutter.add(key, model[key]) for key in sorted(model)]
    return [draft for draft in (*drafts, cutter.finish()) if draft is not None]


@given(st.lists(CHANGES, min_size=1, max_size=5), SIZES)
@settings(deadline=None, max_examples=80)
def test_what_edits_led_to_comes_out_in_the_very_same_pages(
    sequence: list[dict[str, str | None]], size: PageSize
) -> None:
    store, pages, model = Store(), list[Page](), Entries()
    for values in sequence:
        pages = store.keep(edit(pages, entries_of(values), Edits(store.load, size)))
        model = apply(model, entries_of(values))
    assert store.keep(stream(model, size, pages)) == pages


@given(st.lists(CHANGES, min_size=1, max_size=4), CHANGES, SIZES)
@settings(deadline=None, max_examples=80)
def test_pages_are_sound_whatever_the_earlier_ones_were(
    sequence: list[dict[str, str | None]], last: dict[str, str | None], size: PageSize
) -> None:
    store, pages, model = Store(), list[Page](), Entries()
    for values in sequence:
        pages = store.keep(edit(pages, entries_of(values), Edits(store.load, size)))
        model = apply(model, entries_of(values))
    model = apply(model, entries_of(last))
    again = store.keep(stream(model, size, pages))
    check_pages(again, store, model, size)


def test_a_change_leaves_the_pages_around_it_as_they_were() -> None:
    store, size = Store(), PageSize(8, 10_000)
    model = {f"k{number:03d}": entry(f"k{number:03d}", "x") for number in range(80)}
    pages = store.keep(stream(model, size))
    changed = {**model, "k033": entry("k033", "other")}
    again = store.keep(stream(changed, size, pages))
    assert [page.first for page in pages] == [page.first for page in again]
    assert [index for index, page in enumerate(again) if page != pages[index]] == [4]


def test_what_was_never_cut_is_cut_evenly() -> None:
    size = PageSize(8, 10_000)
    model = {f"k{number:03d}": entry(f"k{number:03d}", "x") for number in range(20)}
    assert [len(draft.entries) for draft in stream(model, size)] == [8, 8, 4]


def test_many_new_entries_between_two_old_ones_make_full_pages() -> None:
    store, size = Store(), PageSize(8, 10_000)
    old = {f"k{number:03d}": entry(f"k{number:03d}", "x") for number in (0, 1, 900, 901)}
    pages = store.keep(stream(old, size))
    model = {f"k{number:03d}": entry(f"k{number:03d}", "x") for number in range(100)} | old
    again = store.keep(stream(model, size, pages))
    check_pages(again, store, model, size)
    assert len(again) <= 14


def test_pages_that_are_left_nearly_empty_go_together() -> None:
    store, size = Store(), PageSize(16, 10_000)
    model = {f"k{number:03d}": entry(f"k{number:03d}", "x") for number in range(64)}
    pages = store.keep(stream(model, size))
    left = {key: text for number, (key, text) in enumerate(sorted(model.items())) if number % 16 == 0}
    assert [page.count for page in store.keep(stream(left, size, pages))] == [4]
