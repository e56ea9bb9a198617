"""A request is done whole or not at all, by who may; again it changes nothing; a dry run tells it and does nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database, open_database
from channeld.catalog.grants import Grant
from channeld.catalog.rejections import ChannelMissing
from channeld.promotion.applying import RequestAboutStaging
from channeld.promotion.requestplans import Fate
from tests.support.adminrequests import CHANNEL, FEEDSTOCKS, FILES, Desk, Told, told
from tests.support.catalog import actions, make_channel, revision_of, rows, shown
from tests.support.server import grant

A1, A2, B1 = FILES
BROKEN = f"action: broken\npackages: [{A1}, {B1}]\n"


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[Desk]:
    made = Desk.over(database, tmp_path)
    yield made
    made.requests.close()


def done(*entries: str) -> list[Told]:
    return [(entry, "done", "") for entry in entries]


def test_files_are_marked_as_broken_and_mended(desk: Desk) -> None:
    marked = desk.apply(BROKEN)
    assert (told(marked), marked.fate, marked.revision) == (
        done(A1, B1),
        Fate.DONE,
        revision_of(desk.database, CHANNEL),
    )
    assert shown(desk.database, channel=CHANNEL) == ["alpha-2.0-0.conda"]
    assert shown(desk.database, "broken", channel=CHANNEL) == ["alpha-1.0-0.conda"]
    mended = desk.apply(f"action: not_broken\npackages: [{A1}, {A2}]\n")
    assert told(mended) == [(A1, "done", ""), (A2, "unchanged", "")]
    assert shown(desk.database, channel=CHANNEL) == ["alpha-1.0-0.conda", "alpha-2.0-0.conda"]


def test_all_of_a_request_is_one_revision_and_says_why(desk: Desk) -> None:
    desk.apply(f"action: broken\npackages: [{A2}]\n")  # the label is made with its first use
    before, written = revision_of(desk.database, CHANNEL), len(actions(desk.database))
    desk.apply(BROKEN)
    assert revision_of(desk.database, CHANNEL) == before + 1
    assert [(row[0], row[2]) for row in actions(desk.database)[written:]] == [
        ("file.label", A1),
        ("file.label", B1),
    ]


def test_a_time_of_entry_survives_being_broken(desk: Desk) -> None:
    before = rows(desk.database, channel=CHANNEL)
    desk.apply(BROKEN)
    desk.now_ms += 1000
    desk.apply(BROKEN.replace("broken", "not_broken"))
    assert rows(desk.database, channel=CHANNEL) == before


def test_feedstocks_are_archived_and_brought_back(desk: Desk) -> None:
    assert told(desk.apply("{action: archive, feedstocks: [alpha-feedstock, beta]}")) == done("alpha", "beta")
    assert desk.archived() == {"alpha", "beta"}
    back = desk.apply("{action: unarchive, feedstocks: [beta]}")
    assert (told(back), desk.archived()) == (done("beta"), {"alpha"})


OUTPUTS = """\
action: add_feedstock_output
feedstock_to_output_mapping:
  alpha: [Alpha-Tools, beta, alpha, "libalpha*"]
  beta-feedstock: ["beta-*", "libbeta?"]
"""


def test_outputs_and_globs_are_registered_and_taken_off(desk: Desk) -> None:
    assert told(desk.apply(OUTPUTS)) == [
        ("alpha: Alpha-Tools", "done", ""),
        ("alpha: beta", "done", "It is registered for beta as well."),
        ("alpha: alpha", "unchanged", ""),
        ("alpha: libalpha*", "unchanged", ""),
        ("beta: beta-*", "done", ""),
        ("beta: libbeta?", "done", ""),
    ]
    assert desk.registered() == {
        "alpha": ("alpha", "alpha-tools", "beta", "libalpha*"),
        "beta": ("alpha", "beta", "beta-*", "libbeta?"),
    }
    assert {step[1] for step in told(desk.apply(OUTPUTS.replace("add_", "remove_")))} == {"done"}
    assert desk.registered() == {"alpha": (), "beta": ("alpha", "beta")}
    assert desk.apply(OUTPUTS.replace("add_", "remove_")).fate is Fate.UNCHANGED


def test_who_takes_an_output_off_learns_that_a_glob_still_matches_it(desk: Desk) -> None:
    desk.apply("{action: add_feedstock_output, feedstock_to_output_mapping: {alpha: [libalpha1]}}")
    taken = "{action: remove_feedstock_output, feedstock_to_output_mapping: {alpha: [%s]}}"
    note = "The glob 'libalpha*' of the feedstock goes on matching it."
    assert told(desk.rehearse(taken % "libalpha1")) == [("alpha: libalpha1", "would_be_done", note)]
    both = desk.rehearse(taken % "libalpha1, 'libalpha*'")
    assert [text for _, _, text in told(both)] == ["", ""]


NO_FILE = (
    "The channel 'conda-forge' has no file noarch/gamma-1.0-0.conda. "
    "Check the channel, the subdir and the file name."
)
NO_FEEDSTOCK = (
    "The channel 'conda-forge' has no feedstock 'gamma'. "
    "Check the name, which is without -feedstock, or register it."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"action: broken\npackages: [{A1}, noarch/gamma-1.0-0.conda]",
            [
                (A1, "withheld", ""),
                ("noarch/gamma-1.0-0.conda", "refused", NO_FILE),
            ],
        ),
        (
            "action: archive\nfeedstocks: [gamma, alpha]",
            [
                ("gamma", "refused", NO_FEEDSTOCK),
                ("alpha", "withheld", ""),
            ],
        ),
        (
            "action: add_feedstock_output\nfeedstock_to_output_mapping: {alpha: [alpha, new], gamma: ['g*']}",
            [
                ("alpha: alpha", "unchanged", ""),
                ("alpha: new", "withheld", ""),
                ("gamma: g*", "refused", NO_FEEDSTOCK),
            ],
        ),
    ],
)
def test_when_one_entry_is_refused_nothing_is_done(desk: Desk, text: str, expected: list[Told]) -> None:
    before = desk.dump()
    assert told(desk.rehearse(text)) == expected
    applied = desk.apply(text)
    assert (told(applied), applied.fate, applied.revision) == (expected, Fate.REFUSED, 0)
    assert desk.dump() == before


def test_a_locked_label_refuses_what_would_change(desk: Desk) -> None:
    desk.apply(f"action: broken\npackages: [{A1}]\n")
    desk.lock_broken()
    before = desk.dump()
    assert told(desk.apply(BROKEN)) == [
        (A1, "unchanged", ""),
        (B1, "refused", "The label 'broken' of the channel 'conda-forge' is locked. Unlock it first."),
    ]
    assert desk.dump() == before


@pytest.mark.parametrize(
    ("text", "enough", "lacking"),
    [
        (
            BROKEN,
            [grant("label", labels="broken", channels=CHANNEL)],
            [
                grant("label", labels="broken", packages="alpha"),
                grant("configure", "upload", "delete", "admin"),
            ],
        ),
        (
            "{action: archive, feedstocks: [alpha]}",
            [grant("configure", channels=CHANNEL)],
            [grant("configure", channels="other"), grant("label", "upload")],
        ),
        (OUTPUTS, [grant("configure")], [grant("configure", packages="alpha"), grant("admin")]),
        (
            "{action: token_reset, feedstocks: [alpha]}",
            [grant("configure")],
            [grant("configure", channels="other"), grant("admin")],
        ),
    ],
)
def test_each_entry_takes_a_right(desk: Desk, text: str, enough: list[Grant], lacking: list[Grant]) -> None:
    before = desk.dump()
    desk.grants = lacking
    refused = desk.apply(text)
    assert refused.fate is Fate.REFUSED
    assert {step.rule for step in refused.steps if step.fate is Fate.REFUSED} == {"not_allowed"}
    assert told(desk.rehearse(text)) == told(refused)
    assert desk.dump() == before
    desk.grants = enough
    assert desk.apply(text).fate is Fate.DONE


def test_what_is_broken_may_be_told_by_who_may_not_change_it_and_nothing_else(desk: Desk) -> None:
    # whether a file is there is told only to who may mark it
    desk.grants = [grant("label", labels="broken", packages="alpha")]
    applied = desk.apply("{action: broken, packages: [noarch/none-1-0.conda, noarch/beta-1.0-0.conda]}")
    assert [step.rule for step in applied.steps] == ["not_allowed", "not_allowed"]


def test_a_request_is_about_a_channel_that_publishes(desk: Desk) -> None:
    make_channel(desk.database, "staging", ChannelSettings(kind="staging"))
    before = desk.dump()
    for do in (desk.apply, desk.rehearse):
        with pytest.raises(RequestAboutStaging):
            do(BROKEN, "staging")
        with pytest.raises(ChannelMissing):
            do(BROKEN, "none")
    assert desk.dump() == before


def test_the_channel_that_a_request_names_is_the_one(desk: Desk) -> None:
    make_channel(desk.database, "other")
    applied = desk.apply(f"{BROKEN}channel: conda-forge\n", "other")
    assert (applied.channel, applied.fate) == (CHANNEL, Fate.DONE)


def test_many_files_are_looked_up_together(desk: Desk) -> None:
    names = [f"noarch/none-{number}-0.conda" for number in range(4_999)]
    applied = desk.apply(f"action: broken\npackages: [{', '.join([A1, *names])}]")
    assert [step.fate for step in applied.steps] == [Fate.WITHHELD, *[Fate.REFUSED] * 4_999]


FILE_NAMES = st.sampled_from([*FILES, "noarch/gamma-1.0-0.conda"])
FEEDSTOCK_NAMES = st.sampled_from([*FEEDSTOCKS, "gamma"])
NAMES = st.sampled_from(["alpha", "Alpha", "beta", "libalpha", "libalpha*", "lib?eta", "new"])


def listed(of: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(of, min_size=1, max_size=3).map(lambda names: ", ".join(map(repr, names)))


REQUESTS = st.one_of(
    st.builds(
        "{{action: {}, packages: [{}]}}".format, st.sampled_from(["broken", "not_broken"]), listed(FILE_NAMES)
    ),
    st.builds(
        "{{action: {}, feedstocks: [{}]}}".format,
        st.sampled_from(["archive", "unarchive"]),
        listed(FEEDSTOCK_NAMES),
    ),
    st.builds(
        "{{action: {}_feedstock_output, feedstock_to_output_mapping: {{{}: [{}]}}}}".format,
        st.sampled_from(["add", "remove"]),
        FEEDSTOCK_NAMES,
        listed(NAMES),
    ),
)


@pytest.fixture(scope="module")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with a channel and its feedstocks, that nobody has open."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copyfile(sqlite_template, folder / "catalog.sqlite")
    desk = Desk.over(open_database(f"sqlite:///{folder / 'catalog.sqlite'}"), folder)
    desk.close()
    return folder / "catalog.sqlite"


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(REQUESTS, min_size=1, max_size=4))
def test_a_dry_run_tells_what_is_done_and_again_nothing_is(
    texts: list[str], filled: Path, tmp_path: Path
) -> None:
    for leftover in tmp_path.glob("catalog.sqlite*"):
        leftover.unlink()
    shutil.copyfile(filled, tmp_path / "catalog.sqlite")
    desk = Desk.at(open_database(f"sqlite:///{tmp_path / 'catalog.sqlite'}"), tmp_path)
    before = desk.dump()
    for text in texts:
        rehearsed = told(desk.rehearse(text))
        assert desk.dump() == before
        applied = desk.apply(text)
        after = desk.dump()
        assert told(applied) == [
            (entry, fate.replace("would_be_done", "done"), note) for entry, fate, note in rehearsed
        ]
        assert (after == before) == (applied.fate in (Fate.REFUSED, Fate.UNCHANGED))
        again = desk.apply(text)
        assert again.fate is (Fate.REFUSED if applied.fate is Fate.REFUSED else Fate.UNCHANGED)
        assert desk.dump() == after
        before = after
    desk.close()
