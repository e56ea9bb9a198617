"""Rule: pages are pressed ahead one at a time, channels take turns, and no more is kept than there is room for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from channeld.blobs.durable import DiskUnavailable
from channeld.catalog.views import ViewKey
from channeld.errors import Unavailable
from channeld.formats.zstdframe import compress_page
from channeld.indexing.ahead import Ahead, Wanted
from channeld.indexing.packs import Packs, PieceDamaged
from channeld.indexing.pagetable import Page
from channeld.indexing.press import Levels, load_page
from tests.support.indexing import World, damage, messages, package

CHANNEL = 1
VIEW = ViewKey(CHANNEL, 1, "linux-64", "chan", "main", True)

Told = tuple[ViewKey, PieceDamaged]


@pytest.fixture
def filled(new_world: Callable[..., World]) -> World:
    """A view of 40 packages in pages of four, all pressed quickly."""
    world = new_world(levels=Levels(9, 1, 1, settled_pages=0, middle_pages=0))
    world.make_channel()
    for number in range(40):
        world.upload(package(f"package{number:02d}"))
    world.publish()
    return world


class Stalled(Executor):
    """Begins nothing before it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, partial(function, *args, **kwargs)))
        return future

    def go_on(self) -> None:
        """Do what waits."""
        waiting, self.waiting = self.waiting, []
        for future, work in waiting:
            try:
                future.set_result(work())
            except Unavailable as error:
                future.set_exception(error)


@pytest.fixture
def stalled() -> Stalled:
    return Stalled()


@pytest.fixture
def told() -> list[Told]:
    """Of what damage somebody was told."""
    return []


@pytest.fixture
def pressing(filled: World, stalled: Stalled, told: list[Told]) -> Ahead:
    return Ahead(filled.packs, 9, stalled, lambda key, damage: told.append((key, damage)))


@pytest.fixture
def pages(filled: World) -> list[Page]:
    return list(filled.table("repodata.json").pages())


def wanted(pages: Iterable[Page], channel_id: int = CHANNEL) -> list[Wanted]:
    return [Wanted(replace(VIEW, channel_id=channel_id), page) for page in pages]


def texts(*pages: Page) -> set[bytes]:
    return {page.raw_sha256 for page in pages}


def test_one_is_pressed_at_a_time(pressing: Ahead, stalled: Stalled, pages: list[Page]) -> None:
    pressing.want(CHANNEL, wanted(pages[:2]))
    assert [pressing.step(), pressing.step(), len(stalled.waiting)] == [True, True, 1]
    stalled.go_on()
    assert pressing.ready() == texts(pages[0])
    assert [pressing.step(), pressing.step(), len(stalled.waiting)] == [True, True, 1]
    stalled.go_on()
    assert not pressing.step()
    assert pressing.ready() == texts(*pages[:2])


def test_what_is_wanted_later_takes_the_place_of_what_was_not_begun(
    pressing: Ahead, stalled: Stalled, pages: list[Page]
) -> None:
    pressing.want(CHANNEL, wanted(pages[:3]))
    pressing.step()
    pressing.want(CHANNEL, wanted([pages[0], pages[7]]))
    while pressing.step():
        stalled.go_on()
    assert pressing.ready() == texts(pages[0], pages[7])


def test_a_page_is_ready_as_it_would_be_pressed_now(
    filled: World, pressing: Ahead, stalled: Stalled, pages: list[Page]
) -> None:
    pressing.want(CHANNEL, wanted(pages[:1]))
    pressing.step()
    stalled.go_on()
    assert pressing.ready() == texts(pages[0])
    assert pressing.get(pages[0]) == compress_page(load_page(filled.packs, pages[0]), 9)


def test_a_page_of_the_same_text_in_another_place_is_another_page(
    pressing: Ahead, stalled: Stalled, pages: list[Page]
) -> None:
    twin = replace(pages[0], place=replace(pages[0].place, pack="another"))
    pressing.want(CHANNEL, wanted(pages[:1]))
    pressing.step()
    stalled.go_on()
    assert pressing.ready() == texts(twin)
    assert pressing.get(twin) is None


def test_channels_take_turns_and_leave_each_other_what_they_want(
    pressing: Ahead, stalled: Stalled, pages: list[Page]
) -> None:
    pressing.want(1, wanted(pages[:3]))
    pressing.want(2, wanted(pages[5:7], channel_id=2))
    pressing.step()
    stalled.go_on()
    pressing.step()
    stalled.go_on()
    assert pressing.ready() == texts(pages[0], pages[5])
    pressing.want(1, [])
    while pressing.step():
        stalled.go_on()
    assert pressing.ready() == texts(pages[0], pages[5], pages[6])


def test_what_was_taken_is_forgotten(pressing: Ahead, stalled: Stalled, pages: list[Page]) -> None:
    pressing.want(CHANNEL, wanted(pages[:2]))
    while pressing.step():
        stalled.go_on()
    pressing.forget([pages[0], pages[4]])
    assert pressing.ready() == texts(pages[1])


def test_the_oldest_go_when_all_come_to_more_than_may_be_kept(
    pressing: Ahead, stalled: Stalled, pages: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.indexing.ahead._MOST_BYTES", int(2.5 * pages[0].place.size))
    pressing.want(CHANNEL, wanted(pages[:3]))
    while pressing.step():
        stalled.go_on()
    assert pressing.ready() == texts(*pages[1:3])


def test_damage_is_told_of_the_view_and_nothing_more_of_its_channel_is_pressed(
    filled: World, pressing: Ahead, stalled: Stalled, pages: list[Page], told: list[Told]
) -> None:
    damage(filled, [pages[0].place, pages[1].place])
    pressing.want(1, wanted(pages[:3]))
    pressing.want(2, wanted(pages[5:6], channel_id=2))
    while pressing.step():
        stalled.go_on()
    assert [(key, damage.start) for key, damage in told] == [(VIEW, pages[0].place.start)]
    assert pressing.ready() == texts(pages[5])


def test_damage_that_could_not_be_told_is_told_again(
    filled: World, stalled: Stalled, pages: list[Page]
) -> None:
    answers: list[Exception | None] = [DiskUnavailable("catalog", "it is away"), None]

    def on_damage(key: ViewKey, damage: PieceDamaged) -> None:
        if (answer := answers.pop(0)) is not None:
            raise answer

    pressing = Ahead(filled.packs, 9, stalled, on_damage)
    damage(filled, [pages[0].place])
    pressing.want(CHANNEL, wanted(pages[:1]))
    pressing.step()
    stalled.go_on()
    with pytest.raises(DiskUnavailable):
        pressing.step()
    assert pressing.ready() == frozenset()
    assert not pressing.step()
    assert answers == []


def test_what_goes_wrong_otherwise_leaves_the_page_as_it_is(
    pressing: Ahead,
    stalled: Stalled,
    pages: list[Page],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away(packs: Packs, page: Page, level: int) -> bytes:
        raise DiskUnavailable("packs", "the disk is away")

    monkeypatch.setattr("channeld.indexing.ahead.press_page", away)
    pressing.want(CHANNEL, wanted(pages[:1]))
    pressing.step()
    stalled.go_on()
    assert not pressing.step()
    assert pressing.ready() == frozenset()
    (warning,) = messages(caplog, logging.WARNING)
    assert warning.startswith(
        "A page is not compressed better: The file system failed at packs: the disk is away."
    )
