"""Rule: records for new clients stand under ``v3``, in the order of file names, and the head counts them (CEP 48)."""

from __future__ import annotations

from channeld.indexing.pagetable import PageTable
from tests.support.indexing import SHARDS, World, forget, package

#: In the order of their stems the last one would come first.
BUILDS = ("0+a", "0.a", "0.cz", "0")


def firsts(table: PageTable) -> list[str]:
    return [page.first for page in table.section("v3.conda")]


def test_the_head_counts_them_and_gives_the_bounds_of_their_times(world: World) -> None:
    first = world.clock.now_ms()
    for build in BUILDS:
        world.upload(package(build=build, v3=True))
        world.clock.advance(seconds=1)
    world.upload(package("beta"))
    world.publish()
    seen = world.seen().documents
    revision = {"n_packages": 4, "oldest": first, "newest": first + 3000}
    assert seen["repodata.json"]["info"]["repodata_revisions"] == {"v3": revision}
    assert set(seen["repodata.json"]["v3"]["conda"]) == {f"alpha-1.0-{build}" for build in BUILDS}
    assert set(seen["repodata.json"]["packages.conda"]) == {"beta-1.0-0.conda"}
    assert set(seen[SHARDS]["shards"]["alpha"].sections["v3.conda"]) == {
        f"alpha-1.0-{build}" for build in BUILDS
    }
    assert len(seen["run_exports.json"]["packages.conda"]) == 5
    assert "v3" not in seen["current_repodata.json"]


def test_files_whose_stems_sort_otherwise_are_found_again(world: World) -> None:
    packages = [
        package("alpha", build=f"{n}{suffix}", v3=True) for n in range(4) for suffix in ("", "+a", ".a")
    ]
    for one in packages:
        world.upload(one)
    world.publish()
    names = sorted(one.filename for one in packages)
    assert firsts(world.table("repodata.json"))[0] == names[0]
    for one in packages:
        world.unlabel(one, "main")
        world.publish()
    assert world.names() == set()
    assert world.table("repodata.json").count("v3.conda") == 0


def test_a_rebuild_and_single_changes_agree_on_the_order(world: World) -> None:
    for build in BUILDS:
        world.upload(package(build=build, v3=True))
        world.publish()
    before = world.seen()
    world.mark_whole()
    forget(world)
    world.publish()
    assert world.seen().digests() == before.digests()


def test_the_last_one_takes_the_section_with_it(world: World) -> None:
    one = package(build="0", v3=True)
    world.upload(one)
    world.publish()
    world.unlabel(one, "main")
    world.publish()
    repodata = world.seen().documents["repodata.json"]
    assert "v3" not in repodata
    assert "repodata_revisions" not in repodata["info"]
