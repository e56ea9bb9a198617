"""Rule: a selection means exactly the files that fit all of it, the newest candidate of each name."""

from __future__ import annotations

import pytest

from channeld.catalog import channels, selection
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.rejections import FileMissing, LabelMissing
from channeld.catalog.selection import Selection
from tests.support.catalog import add, artifact, make_channel

ALPHA1, ALPHA2 = artifact("alpha", "1.0"), artifact("alpha", "2.0")
ALPHA_LINUX = artifact("alpha", "1.0", subdir="linux-64")
BETA_OLD, BETA_NEW = artifact("beta", content="old"), artifact("beta", content="new")


@pytest.fixture
def filled(database: Database) -> Database:
    make_channel(database, "chan", ChannelSettings(kind="staging"))
    for package, labels in (
        (ALPHA1, ["main", "dev"]),
        (ALPHA2, ["main"]),
        (ALPHA_LINUX, ["dev"]),
        (BETA_OLD, ["main"]),
        (BETA_NEW, ["main"]),
    ):
        add(database, package, *labels)
    return database


def select(database: Database, wanted: Selection) -> list[tuple[str, str, str]]:
    found = database.read_now(lambda c: selection.select(c, channels.get(c, "chan"), wanted))
    return [(file.subdir, file.filename, file.sha256[:4]) for file in found]


def means(*packages: object) -> list[tuple[str, str, str]]:
    return [(p.subdir, p.filename, p.sha256[:4]) for p in packages]  # type: ignore[attr-defined]


def test_a_selection_means_what_fits_all_of_it(filled: Database) -> None:
    for wanted, packages in (
        (Selection(name="alpha"), [ALPHA_LINUX, ALPHA1, ALPHA2]),
        (Selection(name="alpha", version="1.0"), [ALPHA_LINUX, ALPHA1]),
        (Selection(name="alpha", subdir="noarch"), [ALPHA1, ALPHA2]),
        (Selection(filename=ALPHA1.filename), [ALPHA_LINUX, ALPHA1]),
        (Selection(filename=ALPHA1.filename, subdir="linux-64"), [ALPHA_LINUX]),
        (Selection(label="dev"), [ALPHA_LINUX, ALPHA1]),
        (Selection(label="dev", name="alpha", subdir="noarch"), [ALPHA1]),
        (Selection(name="beta"), [BETA_OLD, BETA_NEW]),
        (Selection(name="beta", sha256=BETA_OLD.sha256), [BETA_OLD]),
        (Selection(name="nothing"), []),
    ):
        assert select(filled, wanted) == means(*packages)


def test_a_file_that_is_named_has_to_be_there(filled: Database) -> None:
    with pytest.raises(FileMissing):
        select(filled, Selection(filename="alpha-3.0-0.conda"))
    with pytest.raises(FileMissing):
        select(filled, Selection(filename=ALPHA2.filename, subdir="linux-64"))
    with pytest.raises(LabelMissing):
        select(filled, Selection(label="nothing"))


def test_a_selection_of_everything_is_not_made_by_mistake() -> None:
    with pytest.raises(ValueError, match="names"):
        Selection(subdir="noarch")


def test_what_is_not_there_is_not_found(filled: Database) -> None:
    def read(name: str) -> object:
        return filled.read_now(lambda c: selection.newest(c, channels.get(c, "chan"), "noarch", name))

    assert read("nothing-1.0-0.conda") is None
    assert read(ALPHA1.filename) is not None
