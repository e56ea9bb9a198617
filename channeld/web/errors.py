"""The one table that turns errors into HTTP, and the middleware that applies it.

No handler builds an error response. A rejection becomes ``application/problem+json`` (RFC 9457), or what the dialect
of the route has its client show to its user. Trouble on our side becomes 503 with ``Retry-After``. Anything else is a
defect of channeld: 500, logged with its traceback, and the request's id for whoever reports it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeVar

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from channeld.cachepolicy import NO_STORE
from channeld.catalog import deliveries, webhooks
from channeld.catalog import feedstock_rejections as feedstocks
from channeld.catalog import rejections as catalog
from channeld.errors import ChanneldError, Rejected, Unavailable
from channeld.formats.archive.rejections import PackageTooLarge
from channeld.intake import rejections as intake
from channeld.logs import current_request_id
from channeld.pages.rendering import error_page
from channeld.pages.values import ErrorPage
from channeld.promotion import applying, requests
from channeld.promotion.tokenchecks import TooManyTokenChecks
from channeld.web import auth, promotions, rejections
from channeld.web.bodies import refuse
from channeld.web.keys import ONLY_FOR_SENDER, SERVICES

log = logging.getLogger(__name__)

_SAFE_METHODS: Final = (hdrs.METH_GET, hdrs.METH_HEAD)
#: Browsers ask for Basic, and take the token as the password.
_CHALLENGE: Final = 'Bearer realm="channeld", Basic realm="channeld", charset="UTF-8"'

H = TypeVar("H", bound=Handler)

#: The class of a rejection, or the nearest of its bases, decides the status. What is not named here is 422: the
#: request was understood, and what it brings breaks a rule. No uploader tries any of these again by itself.
STATUSES: Final[dict[type[Rejected], int]] = {
    Rejected: 422,
    auth.TokenRequired: 401,
    auth.TokenInvalid: 401,
    auth.NotAllowed: 403,
    rejections.CandidateOfAnother: 403,
    auth.TooManyFailures: 429,
    promotions.FeedstockTokenInvalid: 401,
    promotions.CopyMissing: 404,
    requests.RequestMalformed: 400,
    applying.RequestWithoutChannel: 400,
    promotions.SeveralPairs: 400,
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
    intake.UploadUnknown: 404,
    catalog.ChannelMissing: 404,
    catalog.LabelMissing: 404,
    catalog.FileMissing: 404,
    catalog.PackageMissing: 404,
    catalog.TokenMissing: 404,
    catalog.NoticeMissing: 404,
    webhooks.WebhookMissing: 404,
    webhooks.WebhookPaused: 409,
    webhooks.TooManyWebhooks: 409,
    deliveries.DeliveryMissing: 404,
    deliveries.DeliveryDone: 409,
    catalog.ChannelExists: 409,
    catalog.ChannelNotEmpty: 409,
    catalog.FileConflict: 409,
    catalog.CandidateAmbiguous: 409,
    catalog.LabelLocked: 409,
    catalog.LabelPermanent: 409,
    feedstocks.FeedstockMissing: 404,
    feedstocks.FeedstockTokenMissing: 404,
    feedstocks.OutputNotRegistered: 404,
    feedstocks.GlobMissing: 404,
    feedstocks.TooManyFeedstockTokens: 409,
    TooManyTokenChecks: 429,
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
    try:
        data = orjson.dumps(body, default=str)
    except TypeError:  # half a surrogate pair: a header field held bytes that are no UTF-8
        data = json.dumps(body, default=str).encode()
    return web.Response(status=status, body=data, content_type="application/problem+json")


def plain_sentence(error: ChanneldError, status: int) -> web.Response:
    """Render an error as the sentence that the client shows to its user; rattler shows 512 characters."""
    text = str(error).encode("utf-8", "backslashreplace")
    return web.Response(status=status, body=text, content_type="text/plain", charset="utf-8")


def page(error: ChanneldError, status: int, path: str) -> web.Response:
    """Render an error as the page that a browser shows."""
    title = HTTPStatus(status).phrase
    data = error_page(
        ErrorPage(status=status, title=title, sentence=error.sentence(), advice=error.advice, path=path)
    )
    return web.Response(status=status, body=data, content_type="text/html", charset="utf-8")


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
    response = _rendered(request, error.for_clients(), status)
    if status == 404 and request.method in _SAFE_METHODS:
        policy = request.app[SERVICES].cache.not_found
        only_for_sender = request.get(ONLY_FOR_SENDER, False)
        response.headers.setdefault(hdrs.CACHE_CONTROL, policy.private if only_for_sender else policy.public)
    else:
        response.headers.setdefault(hdrs.CACHE_CONTROL, NO_STORE)
    if status == 401:
        response.headers.setdefault(hdrs.WWW_AUTHENTICATE, _CHALLENGE)
    if isinstance(error, Unavailable):
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after)
    elif status == 429:
        response.headers[hdrs.RETRY_AFTER] = str(auth.WINDOW_SECONDS)
    return response


def _rendered(request: web.Request, error: ChanneldError, status: int) -> web.Response:
    """Render an error in the words of the route; what people may look at also as a page, for browsers."""
    handler = request.match_info.handler
    render: Render | None = getattr(handler, "render_error", None)
    if render is not None or request.method not in _SAFE_METHODS:
        return (render or problem)(error, status)
    browser = "text/html" in request.headers.get(hdrs.ACCEPT, "").lower()
    response = page(error, status, request.rel_url.raw_path) if browser else problem(error, status)
    response.headers[hdrs.VARY] = hdrs.ACCEPT
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
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return _answer(request, rejections.BodyTooLarge(request.client_max_size))
    return _answer(request, rejections.BadRequest(error.reason))
