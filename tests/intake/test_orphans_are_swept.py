"""What nobody names goes after a while: bytes without a row, artifacts of files long deleted, unfinished uploads.

What is named, and what is on its way, stays, whatever happens at the same time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from channeld.blobs.local import LocalBlobs
from channeld.catalog import channels, files, sweeping
from channeld.catalog import tables as t
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.files import Artifact
from channeld.intake import sweeping as bytes_sweeping
from channeld.intake.keeping import BytesSwept, add_kept, forget_bytes
from channeld.intake.sweeping import UNFINISHED_SECONDS, UNNAMED_SECONDS, Sweeper, Swept
from channeld.promotion.expiry import Expiry
from channeld.web import services
from tests.support.catalog import NOW, actor, artifact, make_channel
from tests.support.clock import ManualClock
from tests.support.databases import (
    backend,
    database,
    database_url,
    empty_database_url,
    postgres_server,
    sqlite_template,
)
from tests.support.packages import build_conda
from tests.support.server import running_server

__all__ = ["backend", "database", "database_url", "empty_database_url", "postgres_server", "sqlite_template"]

DAY = 86_400
KEEP = 30 * DAY


class Store:
    """A catalog, a blob store and a sweeper whose clock the test moves."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.blobs = LocalBlobs(folder / "blobs")
        self.clock = ManualClock(NOW)
        self.rests: list[float] = []
        self.sweeper = Sweeper(
            database, self.blobs, self.clock, keep_artifacts_seconds=KEEP, rest=self.rests.append
        )
        make_channel(database)

    def keep(self, name: str) -> Artifact:
        """Store bytes, as long ago as the clock's now."""
        content = f"noarch/{name}-1.0-0.conda "
        incoming = self.blobs.receive()
        incoming.write(content.encode())
        digests = incoming.keep()
        seconds = self.clock.now_ms() / 1000
        os.utime(self.blobs.path(digests.sha256), (seconds, seconds))
        made = artifact(name)
        assert made.sha256 == digests.sha256
        return made

    def name(self, kept: Artifact) -> None:
        """Add the row."""
        self.database.write_now(
            lambda connection: add_kept(
                connection, self.blobs, "chan", kept, ("main",), actor(self.clock.now_ms())
            )
        )

    def delete(self, kept: Artifact) -> None:
        who = actor(self.clock.now_ms())
        self.database.write_now(
            lambda connection: files.delete(connection, "chan", kept.subdir, kept.filename, who)
        )

    def there(self, kept: Artifact) -> bool:
        return self.blobs.holds(kept.sha256, kept.size)


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Store:
    return Store(database, tmp_path)


def test_few_artifacts_are_looked_at_in_one_go_and_all_in_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.intake.sweeping._LOOKED_AT", 2)
    kept = [store.keep(f"package{number}") for number in range(7)]
    for one in kept:
        store.name(one)
    gone, stays = kept[::2], kept[1::2]
    for one in gone:
        store.delete(one)
    store.clock.advance(seconds=KEEP + 1)
    assert store.sweeper.sweep().artifacts == len(gone)
    assert [store.there(one) for one in gone] == [False] * 4
    assert [store.there(one) for one in stays] == [True] * 3
    assert len(store.rests) == 4  # after two artifacts each


def test_bytes_without_a_row_go_after_an_hour(store: Store) -> None:
    named, unnamed = store.keep("named"), store.keep("unnamed")
    store.name(named)

    store.clock.advance(seconds=UNNAMED_SECONDS - 1)
    assert store.sweeper.sweep() == Swept(0, 0, 0)
    assert store.there(unnamed)
    store.clock.advance(seconds=2)

    assert store.sweeper.sweep() == Swept(artifacts=0, blobs=1, unfinished=0)
    assert (store.there(named), store.there(unnamed)) == (True, False)
    assert store.sweeper.sweep() == Swept(0, 0, 0)


def test_what_is_named_is_never_swept_however_old(store: Store) -> None:
    kept = [store.keep(f"p{number}") for number in range(20)]
    for one in kept:
        store.name(one)
    store.clock.advance(seconds=1000 * DAY)

    assert store.sweeper.sweep() == Swept(0, 0, 0)
    assert all(map(store.there, kept))


def test_a_deleted_file_is_served_to_snapshots_first_and_swept_then(store: Store) -> None:
    kept, other = store.keep("alpha"), store.keep("beta")
    store.name(kept)
    store.name(other)
    store.clock.advance(seconds=DAY)
    store.delete(kept)

    store.clock.advance(seconds=KEEP - 1)
    assert store.sweeper.sweep() == Swept(0, 0, 0)
    store.clock.advance(seconds=2)

    assert store.sweeper.sweep() == Swept(artifacts=1, blobs=1, unfinished=0)
    assert (store.there(kept), store.there(other)) == (False, True)

    # the name stays taken; the same bytes bring everything back
    again = store.keep("alpha")
    store.name(again)
    store.clock.advance(seconds=2 * KEEP)
    assert store.sweeper.sweep() == Swept(0, 0, 0)
    assert store.there(again)


def test_what_two_channels_have_stays_while_one_has_it(store: Store) -> None:
    make_channel(store.database, "other")
    kept = store.keep("alpha")
    store.name(kept)
    store.database.write_now(
        lambda connection: add_kept(connection, store.blobs, "other", kept, ("main",), actor(NOW))
    )
    store.delete(kept)
    store.clock.advance(seconds=2 * KEEP)

    assert store.sweeper.sweep() == Swept(0, 0, 0)
    store.database.write_now(
        lambda connection: channels.delete(connection, "other", actor(store.clock.now_ms()), force=True)
    )
    assert store.sweeper.sweep() == Swept(artifacts=1, blobs=1, unfinished=0)


def test_keeping_for_ever_is_a_setting(store: Store) -> None:
    kept = store.keep("alpha")
    store.name(kept)
    store.delete(kept)
    store.clock.advance(seconds=1000 * KEEP)

    forever = Sweeper(store.database, store.blobs, store.clock, keep_artifacts_seconds=0)
    assert forever.sweep() == Swept(0, 0, 0)
    assert store.there(kept)

    # not of what no file names: nothing can show it
    store.database.write_now(
        lambda connection: channels.delete(connection, "chan", actor(store.clock.now_ms()), force=True)
    )
    assert forever.sweep() == Swept(artifacts=1, blobs=1, unfinished=0)
    assert not store.there(kept)


def test_the_bytes_of_a_candidate_go_when_it_has_expired(store: Store) -> None:
    """An hour after they came at the earliest, and not those that another channel has."""
    make_channel(store.database, "staging", ChannelSettings(kind="staging"))
    kept, gone = store.keep("alpha"), store.keep("beta")
    store.name(kept)
    for one in (kept, gone):
        store.database.write_now(
            lambda c, one=one: add_kept(c, store.blobs, "staging", one, ("main",), actor(NOW))  # type: ignore[misc]
        )

    def expire() -> int:
        return Expiry(store.database, store.clock, keep_seconds=60).run()

    store.clock.advance(seconds=61)
    assert (expire(), store.sweeper.sweep()) == (2, Swept(0, 0, 0))
    store.clock.advance(seconds=UNNAMED_SECONDS - 60)
    assert store.sweeper.sweep() == Swept(artifacts=1, blobs=1, unfinished=0)
    assert (store.there(kept), store.there(gone)) == (True, False)


def test_unfinished_uploads_go_after_some_hours(store: Store) -> None:
    upload = store.blobs.receive()
    upload.write(b"x")
    assert list(store.blobs.incoming.iterdir()) == []  # in memory until more comes
    upload.write(b"y")
    (path,) = store.blobs.incoming.iterdir()
    seconds = store.clock.now_ms() / 1000
    os.utime(path, (seconds, seconds))

    store.clock.advance(seconds=UNFINISHED_SECONDS - 1)
    assert store.sweeper.sweep() == Swept(0, 0, 0)
    store.clock.advance(seconds=2)
    assert store.sweeper.sweep() == Swept(0, 0, unfinished=1)
    upload.discard()


def test_it_stops_when_it_is_told_to(store: Store) -> None:
    store.keep("alpha")
    store.clock.advance(seconds=2 * UNNAMED_SECONDS)

    assert store.sweeper.sweep(lambda: True) == Swept(0, 0, 0)
    assert store.sweeper.sweep() == Swept(0, blobs=1, unfinished=0)


def test_what_is_kept_again_waits_again(store: Store) -> None:
    """Another upload of bytes that lie around unnamed makes them new."""
    kept = store.keep("alpha")
    store.clock.advance(seconds=2 * UNNAMED_SECONDS)
    assert store.keep("alpha") == kept

    assert store.sweeper.sweep() == Swept(0, 0, 0)
    store.name(kept)
    assert store.there(kept)


def test_an_upload_whose_bytes_were_swept_is_refused_and_names_nothing(store: Store) -> None:
    """Whatever the clocks of the two may say: no row without its bytes."""
    kept = store.keep("alpha")
    swept = store.database.write_now(
        lambda connection: forget_bytes(connection, store.blobs, [kept.sha256], untouched_since=float("inf"))
    )
    assert swept == 1

    with pytest.raises(BytesSwept):
        store.name(kept)

    counts = store.database.read_now(
        lambda connection: [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (t.files, t.artifacts, t.dirty)
        ]
    )
    assert counts == [0, 0, 0]


@pytest.mark.parametrize("first", ["upload", "sweep"])
def test_sweep_and_upload_wait_for_each_other(store: Store, first: str) -> None:
    """Each is held in the middle of its transaction while the other comes; what comes second sees the first."""
    kept = store.keep("alpha")
    entered, go_on = threading.Event(), threading.Event()

    def upload(connection: sa.Connection, *, held: bool) -> str:
        add_kept(connection, store.blobs, "chan", kept, ("main",), actor(NOW))
        if held:
            entered.set()
            go_on.wait(10)
        return "added"

    def sweep(connection: sa.Connection, *, held: bool) -> int:
        count = forget_bytes(connection, store.blobs, [kept.sha256], untouched_since=float("inf"))
        if held:
            entered.set()
            go_on.wait(10)
        return count

    outcomes: dict[str, object] = {}

    def run(name: str, *, held: bool) -> None:
        work = upload if name == "upload" else sweep
        try:
            outcomes[name] = store.database.write_now(lambda connection: work(connection, held=held))
        except BytesSwept:
            outcomes[name] = "refused"

    second = "sweep" if first == "upload" else "upload"
    threads = [threading.Thread(target=run, args=(first,), kwargs={"held": True})]
    threads[0].start()
    assert entered.wait(10)
    threads.append(threading.Thread(target=run, args=(second,), kwargs={"held": False}))
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive(), "the second did not wait"
    go_on.set()
    for thread in threads:
        thread.join(20)

    if first == "upload":
        assert outcomes == {"upload": "added", "sweep": 0}
        assert store.there(kept)
    else:
        assert outcomes == {"sweep": 1, "upload": "refused"}
        assert not store.there(kept)


def test_a_race_of_uploads_and_sweeps_leaves_no_name_without_bytes(store: Store) -> None:
    """The sweep takes everything that is unnamed, at once and again and again, while packages come in."""
    packages = [f"p{number}" for number in range(40)]
    done = threading.Event()
    removed = 0

    def sweep() -> None:
        nonlocal removed
        while not done.is_set():
            for prefix in sorted({path.name[:2] for path in store.blobs.root.glob("??/*")}):
                hashes = store.blobs.names(prefix)
                removed += store.database.write_now(
                    lambda connection, hashes=hashes: forget_bytes(  # type: ignore[misc]
                        connection, store.blobs, hashes, untouched_since=float("inf")
                    )
                )

    def come_in(names: list[str]) -> None:
        for name in names:
            while True:
                try:
                    store.name(store.keep(name))
                    break
                except (BytesSwept, FileNotFoundError):
                    continue

    sweeping_thread = threading.Thread(target=sweep)
    sweeping_thread.start()
    uploads = [threading.Thread(target=come_in, args=(packages[number::4],)) for number in range(4)]
    for thread in uploads:
        thread.start()
    for thread in uploads:
        thread.join(60)
    done.set()
    sweeping_thread.join(20)

    assert all(store.there(artifact(name)) for name in packages)
    query = sa.select(sa.func.count()).select_from(t.files)
    assert store.database.read_now(lambda c: c.execute(query).scalar_one()) == len(packages)


async def test_a_running_server_sweeps_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chores = services.chores_of
    monkeypatch.setattr(
        services,
        "chores_of",
        lambda instance: [replace(chore, every=0.02, first=0.0) for chore in chores(instance)],
    )
    monkeypatch.setattr(bytes_sweeping, "UNNAMED_SECONDS", -1.0)
    orphan = hashlib.sha256(b"orphan").hexdigest()
    data = build_conda("alpha")

    async with running_server(tmp_path) as server:
        server.channel()
        path = server.services.instance.blobs.path(orphan)
        for _ in range(3):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"orphan")
            for _ in range(500):
                # that upload may be told to try again: the grace period is gone
                answer = await server.ask("PUT", "/chan/noarch/alpha-1.0-0.conda", data=data)
                assert answer.status in (200, 201, 503)
                if not path.exists():
                    break
                await asyncio.sleep(0.01)
            assert not path.exists()
        assert (await server.ask("GET", "/chan/noarch/alpha-1.0-0.conda")).body == data


def test_sweeping_artifacts_alone_removes_no_bytes(store: Store) -> None:
    """Rows first, bytes after the commit: a crash in between leaves bytes, which the next sweep takes."""
    kept = store.keep("alpha")
    store.name(kept)
    store.delete(kept)
    later = NOW + 2 * KEEP * 1000
    ids = store.database.read_now(lambda c: sweeping.orphans(c, later))
    store.database.write_now(lambda c: sweeping.sweep_artifacts(c, ids, later, later))
    assert store.there(kept)

    store.clock.advance(seconds=2 * KEEP)
    assert store.sweeper.sweep() == Swept(artifacts=0, blobs=1, unfinished=0)
