"""Rule: an edit changes the pages that hold a changed key, and no others; it comes to what a dict would come to."""

from __future__ import annotations

from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.indexing.pagetable import Page
from channeld.indexing.paging import Draft, Edits, PageSize, cut, edit, split, suffix_of
from tests.support.pagemodel import CHANGES, SIZES, Entries, Store, apply, check_pages, entries_of, entry

SIZE = PageSize(4, 10_000)


def numbered(*numbers: int) -> dict[str, bytes | None]:
    return {f"k{number:03d}": entry(f"k{number:03d}", "x") for number in numbers}


def pages_of(store: Store, *counts: int) -> list[Page]:
    """Return pages with so many entries each; keys k000, k002, k004, …"""
    keys = (f"k{number:03d}" for number in range(0, 2000, 2))
    drafts = []
    for count in counts:
        chosen = list(islice(keys, count))
        drafts.append(Draft(chosen[0], tuple(entry(key, "x") for key in chosen)))
    return store.keep(drafts)


@given(st.lists(CHANGES, min_size=1, max_size=6), SIZES, st.sampled_from(["packages", "v3.conda"]))
@settings(deadline=None, max_examples=100)
def test_any_sequence_of_edits_comes_to_what_a_dict_comes_to(
    sequence: list[dict[str, str | None]], size: PageSize, section: str
) -> None:
    store, pages, model, suffix = Store(), list[Page](), Entries(), suffix_of(section)
    for values in sequence:
        changes = entries_of(values, suffix)
        items = edit(pages, changes, Edits(store.load, size), suffix)
        model = apply(model, changes)
        pages = store.keep(items)
        check_pages(pages, store, model, size, suffix)


@given(st.lists(CHANGES, min_size=2, max_size=5), SIZES)
@settings(deadline=None, max_examples=60)
def test_untouched_pages_are_the_same_objects_and_are_not_loaded(
    sequence: list[dict[str, str | None]], size: PageSize
) -> None:
    store, pages = Store(), list[Page]()
    for values in sequence:
        before, store.loaded = pages, []
        items = edit(before, entries_of(values), Edits(store.load, size))
        kept = {id(item) for item in items if isinstance(item, Page)}
        # what is not there any more was loaded, and what was not loaded is there
        assert {id(page) for page in before} - kept <= {id(page) for page in store.loaded}
        assert all(any(item is page for page in before) for item in items if isinstance(item, Page))
        pages = store.keep(items)


def test_a_change_in_the_middle_loads_one_page() -> None:
    store = Store()
    pages = pages_of(store, 4, 4, 4, 4, 4)
    items = edit(pages, numbered(21), Edits(store.load, SIZE))
    assert store.loaded == [pages[2]]
    assert [item is page for item, page in zip(items, pages, strict=True)] == [True, True, False, True, True]


def test_an_edit_that_changes_nothing_returns_the_page_itself() -> None:
    store = Store()
    pages = pages_of(store, 4, 4)
    assert edit(pages, {**numbered(2), "k003": None, "k999": None}, Edits(store.load, SIZE)) == pages
    assert edit(pages, {}, Edits(store.load, SIZE))[0] is pages[0]


def test_a_page_that_becomes_too_full_is_split_evenly() -> None:
    store = Store()
    items = edit(pages_of(store, 8, 4), numbered(1), Edits(store.load, SIZE))
    assert [len(item.entries) if isinstance(item, Draft) else item.count for item in items] == [3, 3, 3, 4]


def test_a_page_that_becomes_too_small_is_joined_with_its_neighbour() -> None:
    store = Store()
    size = PageSize(16, 10_000)
    pages = pages_of(store, 16, 4, 16)
    items = edit(pages, {"k032": None}, Edits(store.load, size))
    assert [len(item.entries) if isinstance(item, Draft) else item.count for item in items] == [19, 16]
    assert items[1] is pages[2]


def test_a_small_page_is_not_joined_where_that_would_make_one_too_full() -> None:
    store = Store()
    size = PageSize(16, 10_000)
    pages = pages_of(store, 32, 4, 32)
    items = edit(pages, {"k064": None}, Edits(store.load, size))
    assert items[0] is pages[0]
    assert items[2] is pages[2]
    assert store.loaded == [pages[1]]


def test_old_pages_stay_however_small_they_are() -> None:
    store = Store()
    pages = pages_of(store, 1, 1, 4)
    items = edit(pages, numbered(11), Edits(store.load, PageSize(16, 10_000)))
    assert items[0] is pages[0]


def test_the_last_entry_of_a_page_takes_the_page_with_it() -> None:
    store = Store()
    pages = pages_of(store, 1, 4)
    assert edit(pages, {"k000": None}, Edits(store.load, SIZE)) == pages[1:]
    assert edit(pages[:1], {"k000": None}, Edits(store.load, SIZE)) == []


def test_a_key_before_all_others_goes_to_the_first_page() -> None:
    store = Store()
    items = edit(pages_of(store, 4, 4), {"a": entry("a", "")}, Edits(store.load, SIZE))
    assert isinstance(items[0], Draft)
    assert items[0].first == "a"


def test_large_entries_are_cut_by_their_bytes() -> None:
    size = PageSize(4, 1000)
    large = [entry(f"k{number}", "x" * 985) for number in range(3)]
    small = [entry(f"l{number}", "x") for number in range(3)]
    assert [len(draft.entries) for draft in cut([*large, *small], size)] == [1, 1, 1, 3]
    huge = [entry("k", "x" * 5000)]
    assert [len(draft.entries) for draft in cut(huge, size)] == [1]


def test_in_v3_sections_entries_stand_in_the_order_of_file_names() -> None:
    # "a-1-0+b.conda" comes before "a-1-0.conda", though "a-1-0" comes before "a-1-0+b"
    store = Store()
    keys = {"a-1-0+b.conda": "a-1-0+b", "a-1-0.conda": "a-1-0", "a-1-0.0.conda": "a-1-0.0"}
    changes = {sort_key: entry(key, "") for sort_key, key in keys.items()}
    (page,) = store.keep(edit([], changes, Edits(store.load, SIZE), ".conda"))
    assert split(store.text([page])) == [entry("a-1-0+b", ""), entry("a-1-0.0", ""), entry("a-1-0", "")]
    assert store.keep(edit([page], {"a-1-0.conda": None}, Edits(store.load, SIZE), ".conda"))[0].count == 2


def test_documents_that_have_a_page_in_common_have_it_changed_once() -> None:
    store = Store()
    pages, edits = pages_of(store, 4, 4, 4), Edits(store.load, SIZE)
    one = edit(pages, numbered(9), edits)
    other = edit(list(pages), numbered(9), edits)
    assert store.loaded == [pages[1]]
    assert other == one
    third = edit(pages, numbered(11), edits)
    assert store.loaded == [pages[1], pages[1]]
    assert third != one
