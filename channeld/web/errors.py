"""The one table that turns errors into HTTP, and the middleware that applies it.

No handler builds an error response. A rejection becomes ``application/problem+json`` (RFC 9457), or what the dialect
of the route has its client show to its user. Trouble on our side becomes 503 with ``Retry-After``. Anything else is a
defect of channeld: 500, logged with its traceback, and the request's id for whoever reports it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from channeld.cachepolicy import NO_STORE
from channeld.catalog import rejections as catalog
from channeld.errors import ChanneldError, Rejected, Unavailable
from channeld.formats.archive.rejections import PackageTooLarge
from channeld.intake import rejections as intake
from channeld.logs import current_request_id
from channeld.web import auth, rejections
from channeld.web.bodies import refuse
from channeld.web.keys import SERVICES

log = logging.getLogger(__name__)

H = TypeVar("H", bound=Handler)

#: The class of a rejection, or the nearest of its bases, decides the status. What is not named here is 422: the
#: request was understood, and what it brings breaks a rule. No uploader tries any of these again by itself.
STATUSES: Final[dict[type[Rejected], int]] = {
    Rejected: 422,
    auth.TokenRequired: 401,
    auth.TokenInvalid: 401,
    auth.NotAllowed: 403,
    auth.TooManyFailures: 429,
    rejections.NothingHere: 404,
    rejections.MethodNotKnown: 405,
    rejections.BadRequest: 400,
    rejections.BadBody: 400,
    rejections.BadField: 400,
    rejections.BodyTooLarge: 413,
    rejections.BodyStalled: 408,
    rejections.BodyEncoded: 415,
    rejections.ReservedChannelName: 422,
    PackageTooLarge: 413,
    intake.EmptyUpload: 400,
    intake.ChecksumMalformed: 400,
    catalog.ChannelMissing: 404,
    catalog.LabelMissing: 404,
    catalog.FileMissing: 404,
    catalog.TokenMissing: 404,
    catalog.NoticeMissing: 404,
    catalog.ChannelExists: 409,
    catalog.ChannelNotEmpty: 409,
    catalog.FileConflict: 409,
    catalog.CandidateAmbiguous: 409,
    catalog.LabelLocked: 409,
    catalog.LabelPermanent: 409,
}


def status_of(error: ChanneldError) -> int:
    """Return the HTTP status of an error."""
    return status_for(type(error))


def status_for(rule: type[ChanneldError]) -> int:
    """Return the HTTP status of all errors of a class."""
    if issubclass(rule, Unavailable):
        return 503
    return next(status for base in rule.__mro__ if (status := STATUSES.get(base)) is not None)


Render = Callable[[ChanneldError, int], web.Response]


def speaks(render: Render) -> Callable[[H], H]:
    """Mark a handler: its errors are rendered as its dialect's client expects."""

    def mark(handler: H) -> H:
        handler.render_error = render  # type: ignore[attr-defined]
        return handler

    return mark


def problem(error: ChanneldError, status: int) -> web.Response:
    """Render an error as RFC 9457 has it, with the rule's name and the data of the case."""
    body = {
        "type": "about:blank",
        "title": error.sentence(),
        "status": status,
        "detail": error.advice,
        "code": error.code,
        "data": error.detail(),
        "request_id": current_request_id(),
    }
    return web.Response(
        status=status,
        body=orjson.dumps(body, default=str),
        content_type="application/problem+json",
    )


def plain_sentence(error: ChanneldError, status: int) -> web.Response:
    """Render an error as the sentence that the client shows to its user; rattler shows 512 characters."""
    return web.Response(status=status, text=str(error))


def make_middleware() -> Middleware:
    """Return the middleware that answers errors."""

    @web.middleware
    async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ChanneldError as error:
            response = _answer(request, error)
        except web.HTTPException as error:
            response = _translate(request, error)
        except ConnectionError:
            raise
        except Exception:
            log.exception("A request met a defect", extra={"path": request.rel_url.raw_path})
            response = web.Response(
                status=500,
                text=f"This is a defect of channeld; its operator finds it in the log under {current_request_id()}.",
            )
        return await refuse(request, response)

    return answer_errors


def _answer(request: web.Request, error: ChanneldError) -> web.Response:
    status = status_of(error)
    if isinstance(error, Unavailable):
        log.warning("A request could not be served. %s", error, extra={"path": request.rel_url.raw_path})
    render: Render = getattr(request.match_info.handler, "render_error", problem)
    response = render(error, status)
    services = request.app[SERVICES]
    if status == 404 and request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
        response.headers.setdefault(hdrs.CACHE_CONTROL, services.cache.not_found.public)
    else:
        response.headers.setdefault(hdrs.CACHE_CONTROL, NO_STORE)
    if status == 401:
        response.headers.setdefault(hdrs.WWW_AUTHENTICATE, 'Bearer realm="channeld"')
    if isinstance(error, Unavailable):
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after)
    return response


def _translate(request: web.Request, error: web.HTTPException) -> web.Response:
    """Say in our form what aiohttp's router found; its redirects pass as they are."""
    if error.status == 404:
        return _answer(request, rejections.NothingHere(request.rel_url.raw_path))
    if error.status == 405:
        response = _answer(request, rejections.MethodNotKnown(request.method, request.rel_url.raw_path))
        response.headers[hdrs.ALLOW] = error.headers.get(hdrs.ALLOW, "")
        return response
    if error.status < 400:
        return web.Response(status=error.status, headers={hdrs.LOCATION: error.headers[hdrs.LOCATION]})
    return _answer(request, rejections.BadRequest(error.reason))
