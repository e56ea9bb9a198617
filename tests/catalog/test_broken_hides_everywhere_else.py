"""Rule: a file with the label ``broken`` is in no view but that label's own, and comes back when it is taken off."""

from __future__ import annotations

import pytest

from channeld.catalog import files
from channeld.catalog.database import Database
from channeld.catalog.selection import Selection
from tests.support.catalog import (
    Observed,
    actor,
    add,
    artifact,
    make_channel,
    observe,
    relabel,
    rows,
    shown,
)

ALPHA, BETA = artifact("alpha"), artifact("beta")
FILE = ALPHA.filename
SELECTED = Selection(filename=FILE)


@pytest.fixture
def filled(database: Database) -> Database:
    make_channel(database)
    add(database, ALPHA, "main", "dev")
    add(database, BETA)
    return database


def break_it(database: Database) -> Observed:
    return observe(database, lambda c: relabel(c, SELECTED, add=["broken"]))


def test_it_hides_the_file_from_every_other_view(filled: Database) -> None:
    break_it(filled)

    assert shown(filled, "main") == [BETA.filename]
    assert shown(filled, "dev") == []
    assert shown(filled, "broken") == [FILE]


def test_it_touches_every_view_that_the_file_was_in(filled: Database) -> None:
    assert break_it(filled) == Observed(
        2,
        [("broken", "noarch", FILE), ("dev", "noarch", FILE), ("main", "noarch", FILE)],
        [("label.create", "broken"), ("file.label", f"noarch/{FILE}")],
    )


def test_a_hidden_file_still_counts_as_labelled(filled: Database) -> None:
    """repodata_from_packages.json lists what carries the label; only the mark hides it from repodata.json."""
    break_it(filled)

    assert [(row.filename, row.shown, row.labelled) for row in rows(filled, "main")] == [
        (FILE, False, True),
        (BETA.filename, True, True),
    ]


def test_taken_off_it_brings_the_file_back(filled: Database) -> None:
    break_it(filled)

    mended = observe(filled, lambda c: relabel(c, SELECTED, remove=["broken"]))

    assert mended == Observed(
        1,
        [("broken", "noarch", FILE), ("dev", "noarch", FILE), ("main", "noarch", FILE)],
        [("file.label", f"noarch/{FILE}")],
    )
    assert shown(filled, "main") == [FILE, BETA.filename]
    assert shown(filled, "dev") == [FILE]
    assert shown(filled, "broken") == []


def test_other_labels_of_a_broken_file_touch_their_own_view_only(filled: Database) -> None:
    break_it(filled)

    seen = observe(filled, lambda c: relabel(c, SELECTED, remove=["dev"]))

    assert seen.marks == [("dev", "noarch", FILE)]
    assert [(row.filename, row.shown, row.labelled) for row in rows(filled, "dev")] == [(FILE, False, False)]


def test_a_file_uploaded_as_broken_is_never_shown_elsewhere(filled: Database) -> None:
    gamma = artifact("gamma")
    add(filled, gamma, "main", "broken")

    assert gamma.filename not in shown(filled, "main")
    assert shown(filled, "broken") == [gamma.filename]


def test_a_deleted_broken_file_comes_back_whole(filled: Database) -> None:
    break_it(filled)
    filled.write_now(lambda c: files.delete(c, "chan", "noarch", FILE, actor()))
    assert shown(filled, "broken") == []

    back = add(filled, ALPHA)

    assert (back.outcome, back.file.broken) == ("restored", False)
    assert shown(filled, "main") == [FILE, BETA.filename]
