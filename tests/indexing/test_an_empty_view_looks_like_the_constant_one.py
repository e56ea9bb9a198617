"""Rule: a view that was rendered without files has the bytes of the constant generation that was served before it."""

from __future__ import annotations

from channeld.formats.shard import decode_shard_index
from channeld.indexing.documents import names
from channeld.indexing.documents.empty import empty_documents
from channeld.indexing.generation import Paged, Whole
from tests.support.indexing import World


def test_its_documents_are_the_same_bytes(world: World) -> None:
    world.mark_whole()
    world.publish()
    documents, constant = world.raw("noarch"), empty_documents("noarch")
    assert documents.keys() == constant.keys()
    for name, document in documents.items():
        if isinstance(document, Paged):
            assert world.text(document) == constant[name].plain
            with world.assembly.open(document) as frame:
                assert frame.read() == constant[name].zst
            etags = [f'"{digest[:32]}"' for digest in (document.raw_digest, document.zst_digest)]
            assert etags == [constant[name].plain_etag, constant[name].zst_etag]


def test_its_shard_index_differs_in_nothing_but_its_time(world: World) -> None:
    world.mark_whole()
    world.publish()
    index = world.raw("noarch")[names.SHARDS]
    assert isinstance(index, Whole)
    found = decode_shard_index(world.packs.read(index.place))
    constant = decode_shard_index(empty_documents("noarch")[names.SHARDS].plain)
    assert found.shards == constant.shards == {}
    assert {**found.info, "created_at": ""} == {**constant.info, "created_at": ""}


def test_nothing_is_rendered_before_something_is_there(world: World) -> None:
    assert world.publish() == []
    assert world.views() == []
    assert world.packs.names() == []
