"""Rule: a label is put on files and taken off them; what is as asked stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from channeld.catalog import labels
from channeld.catalog.database import Database
from channeld.catalog.rejections import FileMissing, LabelLocked, LabelMissing, PackageMissing
from channeld.catalog.selection import Selection, StoredFile
from channeld.formats.rejections import LabelMalformed
from tests.support.catalog import (
    UNCHANGED,
    Observed,
    actor,
    add,
    artifact,
    dump,
    make_channel,
    observe,
    relabel,
    shown,
)

ALPHA, BETA, GAMMA = artifact("alpha"), artifact("beta"), artifact("gamma", subdir="linux-64")


@pytest.fixture
def filled(database: Database) -> Database:
    make_channel(database)
    add(database, ALPHA)
    add(database, BETA, "dev")
    add(database, GAMMA, "main", "dev")
    return database


def put(database: Database, selected: Selection, *names: str) -> list[str]:
    changed = database.write_now(lambda c: relabel(c, selected, add=names))
    return filenames(changed)


def take(database: Database, selected: Selection, *names: str) -> list[str]:
    changed = database.write_now(lambda c: relabel(c, selected, remove=names))
    return filenames(changed)


def filenames(stored: Sequence[StoredFile]) -> list[str]:
    return [file.filename for file in stored]


def test_a_label_is_put_on_a_file(filled: Database) -> None:
    assert put(filled, Selection(filename=ALPHA.filename), "dev") == [ALPHA.filename]

    assert shown(filled, "dev") == [ALPHA.filename, BETA.filename]
    assert shown(filled, "main") == [ALPHA.filename]


def test_a_label_that_is_not_there_is_created(filled: Database) -> None:
    seen = observe(
        filled,
        lambda c: relabel(c, Selection(filename=ALPHA.filename), add=["new", "new"]),
    )

    assert seen == Observed(
        2,
        [("new", "noarch", ALPHA.filename)],
        [("label.create", "new"), ("file.label", f"noarch/{ALPHA.filename}")],
    )


def test_a_label_is_copied_from_all_files_that_carry_another(filled: Database) -> None:
    changed = put(filled, Selection(label="dev"), "main")

    assert changed == [BETA.filename]  # gamma carried it already
    assert shown(filled, "main") == [ALPHA.filename, BETA.filename]
    assert shown(filled, "dev") == [BETA.filename]
    assert shown(filled, "main", "linux-64") == [GAMMA.filename]


def test_a_label_is_taken_off(filled: Database) -> None:
    seen = observe(filled, lambda c: relabel(c, Selection(name="gamma"), remove=["dev", "dev"]))

    assert seen == Observed(
        1, [("dev", "linux-64", GAMMA.filename)], [("file.label", f"linux-64/{GAMMA.filename}")]
    )
    assert shown(filled, "dev", "linux-64") == []
    assert shown(filled, "main", "linux-64") == [GAMMA.filename]


def test_a_file_may_be_under_no_label(filled: Database) -> None:
    assert take(filled, Selection(filename=ALPHA.filename), "main") == [ALPHA.filename]

    assert shown(filled, "main") == []
    assert add(filled, ALPHA).outcome == "relabelled"


def test_what_is_as_asked_stays_as_it_is(filled: Database) -> None:
    alpha = Selection(filename=ALPHA.filename)

    assert observe(filled, lambda c: relabel(c, alpha, add=["main"])) == UNCHANGED
    assert observe(filled, lambda c: relabel(c, alpha, remove=["dev"])) == UNCHANGED
    assert observe(filled, lambda c: relabel(c, alpha, add=[])) == UNCHANGED


def test_a_selection_that_means_no_file_creates_no_label(filled: Database) -> None:
    """Whoever names a package that is not there is told; a label that nothing carries is no mistake."""
    filled.write_now(lambda c: labels.create(c, "chan", "empty", actor()))
    before = dump(filled)

    with pytest.raises(PackageMissing):
        put(filled, Selection(name="nothing"), "new")
    assert put(filled, Selection(label="empty"), "new") == []
    assert dump(filled) == before


@pytest.mark.parametrize(
    ("selected", "names", "rejection"),
    [
        (Selection(filename="nothing-1-0.conda"), ["dev", "new"], FileMissing),
        (Selection(filename=ALPHA.filename), ["new", "Bad Label"], LabelMalformed),
        (Selection(label="nothing"), ["new"], LabelMissing),
        (Selection(name="alpha"), ["new", "locked"], LabelLocked),
        (Selection(label="dev"), ["new", "locked"], LabelLocked),
    ],
)
def test_a_refused_label_changes_nothing(
    filled: Database, selected: Selection, names: list[str], rejection: type[Exception]
) -> None:
    filled.write_now(lambda c: labels.create(c, "chan", "locked", actor()))
    filled.write_now(lambda c: labels.configure(c, "chan", "locked", actor(), locked=True))
    before = dump(filled)

    with pytest.raises(rejection):
        put(filled, selected, *names)
    assert dump(filled) == before


def test_a_locked_label_takes_no_change(filled: Database) -> None:
    filled.write_now(lambda c: labels.configure(c, "chan", "main", actor(), locked=True))
    before = dump(filled)

    with pytest.raises(LabelLocked):
        take(filled, Selection(name="alpha"), "main")
    with pytest.raises(LabelLocked):
        put(filled, Selection(name="beta"), "main")
    with pytest.raises(LabelLocked):
        add(filled, artifact("delta"))
    assert dump(filled) == before


def test_what_a_locked_label_has_already_may_be_asked_again(filled: Database) -> None:
    """The retry of an upload that went through must not fail because the label was locked since."""
    filled.write_now(lambda c: labels.configure(c, "chan", "main", actor(), locked=True))
    before = dump(filled)

    assert add(filled, ALPHA).outcome == "unchanged"
    assert put(filled, Selection(name="alpha"), "main") == []
    assert take(filled, Selection(name="beta"), "main") == []
    assert dump(filled) == before


def test_a_label_that_is_not_there_cannot_be_taken_off(filled: Database) -> None:
    before = dump(filled)

    with pytest.raises(LabelMissing):
        take(filled, Selection(name="alpha"), "main", "nothing")
    assert dump(filled) == before
