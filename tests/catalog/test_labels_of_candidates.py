"""Rule: in a staging channel a selection means every candidate that fits; one that names a sha256 means that one."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from channeld.catalog import channels, copying, relabelling
from channeld.catalog.copying import Copying
from channeld.catalog.database import Database
from channeld.catalog.rejections import CandidateAmbiguous, FileMissing
from channeld.catalog.relabelling import Relabelling
from channeld.catalog.selection import Selection
from tests.support.candidates import (
    FILE,
    NAMES,
    ONE,
    STAGING,
    THREE,
    TWO,
    Promotable,
    hide,
    listed,
    make_staging,
    promotable,
    stage,
    who,
)
from tests.support.catalog import UNCHANGED, Observed, dump, make_channel, observe, relabel


@pytest.fixture
def staging(database: Database) -> Database:
    """One and two under ``main``, two and three under ``dev``."""
    make_staging(database, ONE, TWO)
    stage(database, TWO, "dev")
    stage(database, THREE, "dev")
    return database


def change(
    database: Database, selected: Selection, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
) -> list[str]:
    """Relabel; say which candidates changed, and see that the plan says the same and a second time is none."""
    planned = database.read_now(
        lambda c: relabelling.plan(c, channels.get(c, STAGING), Relabelling((selected,), add, remove))
    )
    changed = database.write_now(lambda c: relabel(c, selected, add=add, remove=remove, channel=STAGING))
    assert [one.file.id for one in planned] == [file.id for file in changed]
    again = observe(
        database, lambda c: relabel(c, selected, add=add, remove=remove, channel=STAGING), STAGING
    )
    assert again == UNCHANGED
    return [NAMES[file.sha256] for file in changed]


@pytest.mark.parametrize(
    ("selected", "changed"),
    [
        (Selection(filename=FILE), ["one", "two", "three"]),
        (Selection(name="alpha"), ["one", "two", "three"]),
        (Selection(name="alpha", version="1.0"), ["one", "two", "three"]),
        (Selection(label="dev"), ["two", "three"]),
        (Selection(filename=FILE, label="main"), ["one", "two"]),
        (Selection(filename=FILE, sha256=ONE.sha256), ["one"]),
        (Selection(label="dev", sha256=TWO.sha256), ["two"]),
        (Selection(label="dev", sha256=ONE.sha256), []),
    ],
)
def test_every_candidate_that_fits_is_meant(
    staging: Database, selected: Selection, changed: list[str]
) -> None:
    assert change(staging, selected, add=("rc",)) == changed
    assert (listed(staging, "rc") if changed else "") == (changed[-1] if changed else "")


def test_a_label_that_was_moved_is_empty(staging: Database) -> None:
    """Whichever of its candidates were hidden behind others."""
    assert change(staging, Selection(label="main"), add=("rc",), remove=("main",)) == ["one", "two"]
    assert (listed(staging), listed(staging, "rc"), listed(staging, "dev")) == ("", "two", "three")


def test_a_name_that_is_marked_as_broken_is_shown_nowhere_else(staging: Database) -> None:
    assert change(staging, Selection(filename=FILE), add=("broken",)) == ["one", "two", "three"]
    assert [listed(staging, label) for label in ("main", "dev", "broken")] == ["", "", "three"]


def test_all_of_it_is_one_revision_with_a_row_for_each(staging: Database) -> None:
    seen = observe(
        staging, lambda c: relabel(c, Selection(label="dev"), remove=["dev"], channel=STAGING), STAGING
    )
    assert seen == Observed(1, [("dev", "noarch", FILE)] * 2, [("file.label", f"noarch/{FILE}")] * 2)


def test_hidden_candidates_are_not_meant(staging: Database) -> None:
    hide(staging, TWO)
    assert change(staging, Selection(name="alpha"), add=("rc",), remove=("main",)) == ["one", "three"]
    assert Promotable("two", ("dev", "main"), hidden=True) in promotable(staging)
    with pytest.raises(FileMissing):
        change(staging, Selection(filename=FILE, sha256=TWO.sha256), add=("rc",))


def test_what_a_candidate_is_left_with_is_what_it_can_be_promoted_by(staging: Database) -> None:
    """Two was uploaded under both labels, one after the other; whoever may change labels says that it is neither."""
    assert {one.labels for one in promotable(staging) if one.name == "two"} == {
        ("main",), ("dev",), ("dev", "main"),
    }  # fmt: skip
    change(staging, Selection(filename=FILE, sha256=TWO.sha256), add=("rc",), remove=("main", "dev"))
    assert [one for one in promotable(staging) if one.name == "two"] == [Promotable("two", ("rc",))]


def copied(database: Database, selected: Selection) -> list[str]:
    def work(connection: Connection) -> list[str]:
        asked = Copying(STAGING, selected, "chan", ("main",))
        done = copying.copy(connection, asked, who("boss"), lambda files: None)
        return [NAMES[added.file.sha256] for added in done]

    return database.write_now(work)


def test_a_copy_by_name_never_guesses_which_bytes_are_meant(staging: Database) -> None:
    make_channel(staging, "chan")
    before = dump(staging)

    with pytest.raises(CandidateAmbiguous) as rejection:
        copied(staging, Selection(filename=FILE))
    assert rejection.value.candidates == (ONE.sha256, TWO.sha256, THREE.sha256)
    with pytest.raises(CandidateAmbiguous):
        copied(staging, Selection(label="main"))
    assert dump(staging) == before
    assert copied(staging, Selection(filename=FILE, sha256=ONE.sha256)) == ["one"]


def test_a_copy_by_label_takes_the_only_one_that_carries_it(staging: Database) -> None:
    make_channel(staging, "chan")
    change(staging, Selection(filename=FILE, sha256=TWO.sha256), add=("rc",))

    assert copied(staging, Selection(label="rc")) == ["two"]
