"""Publishing a folder's own instance: everything at once and now, since nobody else waits for this process.

A server sweeps when there is time; here it is done before the run ends, so that the state does not grow. Nor is
current_repodata.json drawn behind the publish path: a folder's is drawn from its repodata.json (see ``writing``).
"""

from __future__ import annotations

import shutil
from functools import partial
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import channels, labels
from channeld.catalog.channels import MAIN
from channeld.indexing.publisher import Publisher
from channeld.indexing.sweeping import Retention, Sweeper
from channeld.instance import Instance

#: Nobody reads old generations of a folder: what is served are its files.
_RETENTION: Final = Retention(generations=1, shards=1, frame_bytes=0, grace=0)


def publish(instance: Instance) -> None:
    """Publish what is dirty, and remove what nothing refers to any more.

    Raises:
        Unavailable: disk or database, or stored pieces that are damaged.
    """
    _publish(instance, instance.publisher)


def _publish(instance: Instance, publisher: Publisher) -> None:
    if publisher.publish_all():
        sweeper = Sweeper(
            instance.database,
            instance.packs,
            instance.assembly,
            publisher.leadership,
            instance.clock,
            _RETENTION,
        )
        sweeper.sweep()


def publish_anew(instance: Instance, channel_name: str) -> None:
    """Render everything from the catalog alone, and publish it.

    Raises:
        Unavailable: disk or database.
    """
    shutil.rmtree(instance.assembly.folder, ignore_errors=True)  # new frames are not copied from old ones
    instance.database.write_now(partial(_mark_all, channel_name=channel_name, now_ms=instance.clock.now_ms()))
    old = instance.publisher  # may have put the channel aside for a while
    _publish(
        instance,
        Publisher(
            instance.database, old.engine, instance.assembly, instance.clock, holder=old.leadership.holder
        ),
    )


def _mark_all(connection: Connection, channel_name: str, now_ms: int) -> None:
    channel = channels.get(connection, channel_name)
    label = labels.get(connection, channel, MAIN)
    labels.mark_whole(connection, channel, label, channels.next_revision(connection, channel), now_ms)
