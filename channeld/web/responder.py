"""The one way to answer GET and HEAD of something that does not change under its ETag.

Conditions, ranges, HEAD and the header fields that caches need are decided here, for every sort of body.
The response that ``respond`` returns has its true status, for whoever counts or logs it. A large one has been sent
by then: what adds header fields to it is an ``on_response_prepare`` signal, not a middleware.
"""

from __future__ import annotations

import time

from aiohttp import hdrs, web

from channeld.cachepolicy import NO_STORE
from channeld.web.conditions import Outcome, Validators, evaluate, if_range_holds
from channeld.web.fields import format_date
from channeld.web.ranges import Unsatisfiable, select_range
from channeld.web.representation import Representation
from channeld.web.sending import send


async def respond(request: web.Request, representation: Representation) -> web.StreamResponse:
    """Answer a GET or a HEAD with a representation, or with as much of it as the client asks for and has not yet.

    Raises:
        Unavailable: what the body raises when it is opened. Nothing has been sent then.
    """
    validators = Validators(representation.etag, representation.last_modified)
    outcome = evaluate(request.method, request.headers, validators)
    if outcome is Outcome.NOT_MODIFIED:
        return web.Response(status=304, headers=_validator_fields(representation))
    if outcome is Outcome.PRECONDITION_FAILED:
        return web.Response(status=412, headers={hdrs.CACHE_CONTROL: NO_STORE})
    fields = _validator_fields(representation)
    fields[hdrs.ACCEPT_RANGES] = "bytes"
    fields[hdrs.CONTENT_TYPE] = representation.content_type
    if representation.content_encoding is not None:
        fields[hdrs.CONTENT_ENCODING] = representation.content_encoding
    if request.method == hdrs.METH_HEAD:
        fields[hdrs.CONTENT_LENGTH] = str(representation.size)
        return web.Response(headers=fields)
    return await _respond_to_get(request, representation, validators, fields)


async def _respond_to_get(
    request: web.Request, representation: Representation, validators: Validators, fields: dict[str, str]
) -> web.StreamResponse:
    size = representation.size
    wanted = request.headers.get(hdrs.RANGE)
    if wanted is None or not if_range_holds(request.headers, validators):
        return await send(request, 200, fields, representation.body, 0, size)
    selected = select_range(wanted, size)
    if selected is None:
        return await send(request, 200, fields, representation.body, 0, size)
    if isinstance(selected, Unsatisfiable):
        refused = {hdrs.CONTENT_RANGE: selected.content_range(size), hdrs.CACHE_CONTROL: NO_STORE}
        return web.Response(status=416, headers=refused)
    fields[hdrs.CONTENT_RANGE] = selected.content_range(size)
    return await send(request, 206, fields, representation.body, selected.start, selected.stop)


def _validator_fields(representation: Representation) -> dict[str, str]:
    """Return the fields that a 304 repeats (RFC 9110, section 15.4.5): what a cache stores its answer by."""
    fields: dict[str, str] = {
        hdrs.ETAG: representation.etag,
        hdrs.CACHE_CONTROL: representation.cache_control,
    }
    # A second version may follow within the same second, so only a second that is over tells versions apart
    # (RFC 9110, section 8.8.2.2). Until then there is the ETag.
    changed = representation.last_modified
    if changed is not None and changed < int(time.time()):
        fields[hdrs.LAST_MODIFIED] = format_date(changed)
    if representation.vary is not None:
        fields[hdrs.VARY] = representation.vary
    return fields
