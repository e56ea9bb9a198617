"""Rule: of copies that want one name with different bytes one wins, however many there are and however they meet."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from channeld.catalog import audit
from channeld.catalog.copies import Copy
from channeld.promotion.asking import Extent
from channeld.promotion.outcomes import Outcome
from tests.support.promotion import PRODUCTION, Bench, Build, fates, production_of

MOST = 100


def all_at_once(stage: Bench, copies: list[Copy], threads: int = 16) -> list[Copy]:
    """Carry copies out, as many at a time as there are threads."""
    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(stage.instance.copies.carry_out, [copy.id for copy in copies]))
    return [copy for copy in done if copy is not None]


def test_of_two_promotions_of_one_file_one_wins(each_stage: Bench) -> None:
    stage = each_stage
    for version in ("1.0", "2.0", "3.0"):
        mine, theirs = Build("alpha", version, "mine"), Build("alpha", version, "theirs")
        for build in (mine, theirs):
            stage.upload(build)
        begun = [stage.begin(stage.asked(build)) for build in (mine, theirs)]
        done = all_at_once(stage, begun)

        assert sorted(copy.state for copy in done) == ["done", "refused"]
        winner, loser = (mine, theirs) if done[0].state == "done" else (theirs, mine)
        assert stage.holds(PRODUCTION)[mine.key] == (winner.sha256, ("main",))
        assert stage.staged() & {mine.sha256, theirs.sha256} == {loser.sha256}
        (reason,) = (reason for copy in done for reason in Outcome.read(copy.outcome).errors)
        assert winner.sha256 in reason
        assert loser.sha256 in reason
    assert stage.pins() == 0


def test_one_copy_carried_out_by_many_happens_once(each_stage: Bench) -> None:
    stage = each_stage
    builds = [Build("alpha"), Build("beta")]
    for build in builds:
        stage.upload(build)
    copy = stage.begin(stage.asked(*builds))
    barrier = threading.Barrier(8)

    def carry_out(_number: int) -> Copy | None:
        barrier.wait(10)
        return stage.instance.copies.carry_out(copy.id)

    with ThreadPoolExecutor(8) as pool:
        states = {each.state for each in pool.map(carry_out, range(8)) if each is not None}
    assert states <= {"done", "checked"}
    rows = stage.instance.database.read_now(lambda connection: audit.newest(connection, limit=1000))
    assert [row.action for row in rows if row.subject == copy.id] == ["copy.done"]
    assert stage.holds(PRODUCTION) == production_of(*builds)


def test_a_hundred_promotions_at_once(each_stage: Bench) -> None:
    """Sets that overlap, some with other bytes under the same names."""
    stage, chance = each_stage, random.Random(17)
    builds = [
        Build(name, f"{version}.0", content)
        for name in ("alpha", "beta", "gamma")
        for version in range(5)
        for content in ("one", "two")
    ]
    for build in builds:
        stage.upload(build)
    wanted = []
    for number in range(MOST):
        some = {build.key: build for build in chance.sample(builds, 3)}
        extent = Extent.ALL if number % 2 else Extent.SURVIVORS
        wanted.append(stage.asked(*some.values(), extent=extent))

    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(stage.copy, wanted))

    held = stage.holds(PRODUCTION)
    hashes = {build.key: {each.sha256 for each in builds if each.key == build.key} for build in builds}
    assert len(done) == MOST
    assert stage.pins() == 0
    for key, (sha256, labels) in held.items():
        assert sha256 in hashes[key]
        assert labels == ("main",)
    for asked, copy in zip(wanted, done, strict=True):
        became = fates(copy)
        for key, sha256 in (asked.outputs or {}).items():
            if became[key] in ("copied", "there"):
                assert held[key][0] == sha256
        if asked.extent is Extent.ALL:
            assert set(became.values()) <= {"copied", "there"} or not {"copied", "there"} & set(
                became.values()
            )
    promoted = {sha256 for sha256, _ in held.values()}
    assert stage.staged() == {build.sha256 for build in builds} - promoted
    for build in builds:
        assert stage.instance.blobs.path(build.sha256).read_bytes() == build.data
