"""Reading: GET and HEAD of everything that a channel shows.

A request is parsed by ``urls``, finds its view on the ``shelf`` once, and answers with one representation of what the
view's generation has. What does not exist is 404, never 403 or 501: clients take those for trouble, or remember them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import hdrs, web

from channeld.cachepolicy import CachePolicy
from channeld.catalog import selection
from channeld.catalog import shards as shard_rows
from channeld.catalog.channels import Channel
from channeld.catalog.tokens import Token
from channeld.indexing.documents.empty import EmptyDocument, empty_documents
from channeld.indexing.documents.names import CHANNEL_LEVEL
from channeld.indexing.generation import Paged, Whole
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.pagetable import Place
from channeld.web.keys import ONLY_FOR_SENDER, SERVICES, Services
from channeld.web.negotiation import choose_coding
from channeld.web.rejections import NothingHere
from channeld.web.representation import BytesBody, FileBody, Representation, StreamBody
from channeld.web.responder import respond
from channeld.web.shelf import View
from channeld.web.summaries import channel_document, page
from channeld.web.urls import Kind, Resource, parse

#: Plain documents up to this size are made whole and kept; larger ones are streamed.
_SMALL: Final = 256 * 1024
#: Below this a coding saves nothing worth a second representation.
_WORTH_CODING: Final = 1024
_ZST: Final = ".zst"
#: Codings of a plain document; a client that does not speak of codings gets it as it is.
_CODINGS: Final = ("zstd", "identity")

#: The token by which a private channel is read.
READER: Final = web.RequestKey("reader", Token)


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What is found under a URL whatever else stands in the request, until the catalog changes."""

    resource: Resource
    represent: Callable[[], Representation]


async def read(request: web.Request) -> web.StreamResponse:
    """Answer a GET or HEAD of a channel's URL."""
    services = request.app[SERVICES]
    key = ("fixed", request.rel_url.raw_path)
    fixed: _Fixed | None = services.shelf.recall(key)
    if fixed is not None:
        return await _respond(request, services, fixed.resource, fixed.represent())
    version = services.shelf.version
    resource = parse(request.rel_url.raw_path)
    if resource is None or resource.snapshot is not None:
        raise NothingHere(request.rel_url.raw_path)
    channel = await services.shelf.channel(resource.channel)
    if channel is None:
        raise NothingHere(request.rel_url.raw_path)
    if channel.settings.private:
        request[ONLY_FOR_SENDER] = True
        request[READER] = await services.auth.check_read(request, channel, resource)
    if resource.kind is Kind.PAGE_WITHOUT_SLASH:
        # whether there is such a label or subdir is asked first: a name that nobody has may look like a file's
        await _view(services, resource, resource.subdir or CHANNEL_LEVEL)
        # relative, so that it is right below whatever path the server is mounted at
        raise web.HTTPPermanentRedirect(resource.path.rstrip("/").rpartition("/")[2] + "/")
    found = await _FINDERS[resource.kind](request, services, channel, resource)
    if isinstance(found, Representation):
        return await _respond(request, services, resource, found)
    if not channel.settings.private:
        services.shelf.keep(version, key, found)
    return await _respond(request, services, resource, found.represent())


async def _respond(
    request: web.Request, services: Services, resource: Resource, representation: Representation
) -> web.StreamResponse:
    try:
        return await respond(request, representation)
    except PieceDamaged as damage:
        await services.repairs.ask(resource, damage)
        raise


async def _subdir_document(
    request: web.Request, services: Services, channel: Channel, resource: Resource
) -> Representation | _Fixed:
    view = await _view(services, resource, resource.subdir or "")
    name = resource.file
    zst = name.endswith(".json" + _ZST)
    base = name.removesuffix(_ZST) if zst else name
    document = view.documents.get(base)
    policy = services.cache.documents
    if isinstance(document, Whole):
        return _piece(services, channel, resource, document.place, document.modified_ms, policy)
    if isinstance(document, Paged):
        if zst:
            frame = _frame(services, channel, resource, document, f'"{document.zst_digest[:32]}"')
            return _Fixed(resource, lambda: frame)
        return await _plain(request, services, channel, resource, document)
    empty = empty_documents(view.subdir).get(base)
    if empty is None or view.number:
        raise NothingHere(request.rel_url.raw_path)
    return _empty(services, channel, resource, empty, zst=zst, modified_ms=view.published_ms)


async def _view(services: Services, resource: Resource, subdir: str) -> View:
    view = await services.shelf.view(resource.channel, resource.label, subdir)
    if view is None:
        raise NothingHere(resource.path)
    return view


def _cache_control(channel: Channel, policy: CachePolicy) -> str:
    return policy.private if channel.settings.private else policy.public


def _frame(
    services: Services,
    channel: Channel,
    resource: Resource,
    document: Paged,
    etag: str,
    content_encoding: str | None = None,
) -> Representation:
    """Represent a document by its zstd frame: under ``.zst``, or as a content coding of the plain URL."""
    return Representation(
        etag=etag,
        last_modified=document.modified_ms // 1000,
        content_type=resource.content_type,
        size=document.zst_size,
        body=FileBody(
            partial(services.pieces.open_frame, document),
            otherwise=StreamBody(partial(_read, services, resource, document, zst=True)),
        ),
        cache_control=_cache_control(channel, services.cache.documents),
        content_encoding=content_encoding,
        vary=hdrs.ACCEPT_ENCODING if content_encoding else None,
    )


async def _plain(
    request: web.Request, services: Services, channel: Channel, resource: Resource, document: Paged
) -> Representation:
    """Represent a document by its text, zstd-coded from the very bytes of its frame where the client takes that."""
    if document.raw_size > _WORTH_CODING and choose_coding(request.headers, _CODINGS) == "zstd":
        return _frame(services, channel, resource, document, f'"{document.zst_digest[:32]}-z"', "zstd")
    body: BytesBody | StreamBody
    if document.raw_size <= _SMALL:
        body = BytesBody(await services.pieces.text(document))
    else:
        body = StreamBody(partial(_read, services, resource, document, zst=False))
    return Representation(
        etag=f'"{document.raw_digest[:32]}"',
        last_modified=document.modified_ms // 1000,
        content_type=resource.content_type,
        size=document.raw_size,
        body=body,
        cache_control=_cache_control(channel, services.cache.documents),
        vary=hdrs.ACCEPT_ENCODING,
    )


async def _read(
    services: Services, resource: Resource, document: Paged, start: int, stop: int, *, zst: bool
) -> AsyncIterator[bytes]:
    """Yield a range of a document, or of its frame. Damage met after the first bytes only breaks the body off."""
    try:
        async for chunk in services.pieces.read(document, start, stop, zst=zst):
            yield chunk
    except PieceDamaged as damage:
        await services.repairs.ask(resource, damage)
        raise


def _piece(
    services: Services,
    channel: Channel,
    resource: Resource,
    place: Place,
    modified_ms: int,
    policy: CachePolicy,
) -> _Fixed:
    """Represent what is stored in one piece; it is read when its bytes are wanted, not for a 304."""
    etag = f'"{place.sha256.hex()[:32]}"'
    cache_control = _cache_control(channel, policy)

    async def read_piece(start: int, stop: int) -> AsyncIterator[bytes]:
        yield (await services.pieces.piece(place))[start:stop]

    def represent() -> Representation:
        kept = services.pieces.kept(place)
        return Representation(
            etag=etag,
            last_modified=modified_ms // 1000,
            content_type=resource.content_type,
            size=place.size,
            body=StreamBody(read_piece) if kept is None else BytesBody(kept),
            cache_control=cache_control,
        )

    return _Fixed(resource, represent)


def _empty(
    services: Services,
    channel: Channel,
    resource: Resource,
    empty: EmptyDocument,
    *,
    zst: bool,
    modified_ms: int,
) -> Representation:
    data, etag = (empty.zst, empty.zst_etag) if zst else (empty.plain, empty.plain_etag)
    return Representation(
        etag=etag,
        last_modified=modified_ms // 1000,
        content_type=resource.content_type,
        size=len(data),
        body=BytesBody(data),
        cache_control=_cache_control(channel, services.cache.documents),
    )


async def _shard(request: web.Request, services: Services, channel: Channel, resource: Resource) -> _Fixed:
    await _view(services, resource, resource.subdir or "")
    sha256 = bytes.fromhex(resource.shard_hash)
    found = await services.shelf.remember(
        ("shard", channel.id, sha256), lambda connection: shard_rows.find(connection, channel.id, sha256)
    )
    if found is None:
        raise NothingHere(request.rel_url.raw_path)
    place = Place(found.pack, found.start, found.size, sha256)
    return _piece(services, channel, resource, place, channel.created_ms, services.cache.shards)


async def _artifact(request: web.Request, services: Services, channel: Channel, resource: Resource) -> _Fixed:
    view = await _view(services, resource, resource.subdir or "")
    file = await services.shelf.remember(
        ("artifact", view.label.id, resource.subdir, resource.file),
        lambda connection: selection.newest(connection, channel, view.subdir, resource.file, view.label.id),
    )
    if file is None:
        raise NothingHere(request.rel_url.raw_path)
    reader = request.get(READER)
    if reader is not None and not await services.auth.sees_file(reader, channel, file):
        raise NothingHere(request.rel_url.raw_path)
    staged = channel.settings.kind == "staging"
    policy = services.cache.staged_artifacts if staged else services.cache.artifacts
    whole = Representation(
        etag=f'"{file.sha256[:32]}"',
        last_modified=file.uploaded_ms // 1000,
        content_type=resource.content_type,
        size=file.size,
        body=FileBody(partial(services.pieces.open_artifact, file.sha256)),
        cache_control=_cache_control(channel, policy),
    )
    return _Fixed(resource, lambda: whole)


async def _channel_document(
    request: web.Request, services: Services, channel: Channel, resource: Resource
) -> Representation:
    view = await _view(services, resource, CHANNEL_LEVEL)
    document = view.documents.get(resource.file)
    if isinstance(document, Paged):
        return await _plain(request, services, channel, resource, document)
    return await _made(request, services, channel, resource, channel_document)


async def _page(
    request: web.Request, services: Services, channel: Channel, resource: Resource
) -> Representation:
    return await _made(request, services, channel, resource, page)


Maker = Callable[[web.Request, Services, Resource], Awaitable[tuple[bytes, str] | None]]


async def _made(
    request: web.Request, services: Services, channel: Channel, resource: Resource, maker: Maker
) -> Representation:
    """Represent what is made on demand from published state: small, and the same bytes for the same state."""
    made = await maker(request, services, resource)
    if made is None:
        raise NothingHere(request.rel_url.raw_path)
    data, digest = made
    return Representation(
        etag=f'"{digest[:32]}"',
        last_modified=None,
        content_type=resource.content_type,
        size=len(data),
        body=BytesBody(data),
        cache_control=_cache_control(channel, services.cache.documents),
    )


_FINDERS: Final = {
    Kind.SUBDIR_DOCUMENT: _subdir_document,
    Kind.SHARD: _shard,
    Kind.ARTIFACT: _artifact,
    Kind.CHANNEL_DOCUMENT: _channel_document,
    Kind.PAGE: _page,
}
