"""conda-forge's webservices, as far as they copy outputs from staging to production.

    POST [/<channel>]/feedstock-outputs/copy         200 all of them are copied, 400 not all
    POST [/<channel>]/feedstock-outputs/validate     the same without copying: 200 all of them would be, 400 not all
    GET  /alive                                      200

Header ``FEEDSTOCK_TOKEN``; body ``{"feedstock", "outputs": {"<subdir>/<file>": hash}, "channel": label, "hash_type",
"provider", "git_sha", "comment_on_error"}``, where the hash type is md5 unless it is said otherwise, and ``channel``
means a label. ``<channel>`` is the one that is promoted into; it may be left out where there is only one.

Outputs are judged one by one, and those in order are copied together. The answer is JSON whatever happens, because
rattler-build reads it so. What differs from conda-forge: a refusal of the whole request says why, in ``errors``; the
outcome can be looked up where ``Location`` says; ``Prefer: respond-async`` is answered with 202; and ``validate``,
which is a stub there, does what it says.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from aiohttp import hdrs, web
from sqlalchemy import Connection

from channeld.cachepolicy import NO_STORE
from channeld.catalog import channels
from channeld.errors import ChanneldError
from channeld.promotion.asking import MD5, Asked, Extent
from channeld.promotion.outcomes import Outcome, State
from channeld.web.bodies import defer_continue
from channeld.web.errors import speaks
from channeld.web.keys import SERVICES, Services
from channeld.web.native.route import PREFIX
from channeld.web.native.wiring import json_of
from channeld.web.promotions import (
    Pair,
    SeveralPairs,
    Vouched,
    begin,
    check_outputs,
    finish,
    pair_into,
    prefers_async,
    request_key,
    vouch,
)
from channeld.web.rejections import BadRequest, NothingHere

log = logging.getLogger(__name__)

#: Characters of a text in the body.
_TEXT: Final = 128
#: What nobody has registered, for a request that names no feedstock: it takes as long to be refused.
_NOBODY: Final = "-feedstock"

Handler = Callable[[web.Request], Awaitable[web.Response]]


def as_json(error: ChanneldError, status: int) -> web.Response:
    """Render an error as these services do, with the reason."""
    return _refusal(status, str(error))


def _refusal(status: int, *errors: str) -> web.Response:
    return _json({"message": HTTPStatus(status).phrase, "errors": list(errors)}, status)


def _json(body: Mapping[str, Any], status: int, location: str = "") -> web.Response:
    # plain ASCII: what is repeated of a request may be half a surrogate pair
    response = web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")
    response.headers[hdrs.CACHE_CONTROL] = NO_STORE
    if location:
        response.headers[hdrs.LOCATION] = location
    return response


def _always_json(handler: Handler) -> Handler:
    """Answer also a defect in the way that clients expect."""

    @speaks(as_json)
    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except (ChanneldError, web.HTTPException, ConnectionError):
            raise
        except Exception:
            log.exception("A request met a defect", extra={"path": request.rel_url.raw_path})
            return _json({"message": "Unhandled error", "reason": None, "traceback": "", "errors": []}, 500)

    return handle


@dataclass(frozen=True, slots=True)
class _Said:
    """What the body of a request says."""

    repository: str
    outputs: Mapping[str, str] | None
    label: str | None
    hash_type: str
    provider: str | None
    git_sha: str | None
    tells: bool

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> _Said:
        """Read a body. What it may leave out has conda-forge's defaults; raises ``BadRequest``."""
        git_sha = _text(body, "git_sha")
        return cls(
            repository=_text(body, "feedstock") or _NOBODY,
            outputs=_outputs(body.get("outputs")),
            label=_text(body, "channel"),
            hash_type=_text(body, "hash_type", MD5) or "",
            provider=_text(body, "provider"),
            git_sha=git_sha,
            tells=bool(body.get("comment_on_error", git_sha is not None)),
        )


def _text(body: Mapping[str, Any], field: str, default: str | None = None) -> str | None:
    value = body.get(field, default)
    if value is not None and (not isinstance(value, str) or "\0" in value or len(value) > _TEXT):
        raise BadRequest(f"{field!r} is not a text of at most {_TEXT} characters")
    return value


def _outputs(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadRequest("'outputs' is not an object with a hash for each output")
    check_outputs(value)
    # what is no text, or longer than any, is no hash of anything
    return {key: text if isinstance(text, str) and len(text) <= _TEXT else "" for key, text in value.items()}


async def _pair(request: web.Request, services: Services) -> Pair:
    """Find the two channels that a request is about.

    Raises:
        ChannelMissing, NothingPromotes, SeveralPairs: as they say.
    """
    named = request.match_info.get("channel")
    if named is not None:
        if "\0" in named:
            raise NothingHere(request.rel_url.raw_path)
        return await pair_into(services, named)
    targets = await services.instance.database.read(_targets)
    if len(targets) != 1:
        raise SeveralPairs(len(targets), tuple(name for name, private in targets.items() if not private))
    return await pair_into(services, *targets)


def _targets(connection: Connection) -> dict[str, bool]:
    """Return the channels that are promoted into, and whether each is private."""
    every = channels.every(connection)
    names = {each.settings.promotes_to for each in every}
    return {each.name: each.settings.private for each in every if each.name in names}


async def _asked(request: web.Request, services: Services) -> tuple[Asked, Vouched]:
    said = _Said.read(await json_of(request))
    pair = await _pair(request, services)
    vouched = await vouch(request, services, pair.production, said.repository, said.provider)
    asked = Asked(
        channel=pair.production.name,
        staging=pair.staging.name,
        repository=said.repository,
        label=said.label,
        outputs=said.outputs,
        asker=vouched.asker,
        hash_type=said.hash_type,
        extent=Extent.SURVIVORS,
        provider=said.provider,
        git_sha=said.git_sha,
        tells=said.tells,
    )
    return asked, vouched


async def copy(request: web.Request) -> web.Response:
    """Copy what is in order."""
    services = request.app[SERVICES]
    started = services.clock.monotonic()
    asked, vouched = await _asked(request, services)
    if not vouched.proven:
        return await _refused(services, asked, vouched)
    begun = await begin(services, asked, request_key(request, asked.asker.actor))
    location = f"{PREFIX}/channels/{asked.channel}/copies/{begun.id}"
    problems = Outcome.read(begun.outcome).problems
    if problems:
        return _json({"message": "Bad Request", "errors": list(problems)}, 400, location)
    if prefers_async(request) and not State(begun.state).final:
        services.instance.copies.carry_out_later(begun)
        return _json({"id": begun.id, "state": begun.state}, 202, location)
    done = await finish(services, begun)
    outcome = Outcome.read(done.outcome)
    seconds = services.clock.monotonic() - started
    return _told(asked, outcome, _copied(asked, outcome), seconds, location)


async def _refused(services: Services, asked: Asked, vouched: Vouched) -> web.Response:
    """Refuse whoever shows no token of the feedstock; the feedstock, if there is one, is told."""
    if vouched.feedstock is None:
        errors = (await services.instance.copies.rehearsed(asked)).outcome.problems
    else:
        # nothing that a stranger sends is kept
        outputs = None if asked.outputs is None else dict[str, str]()
        begun = await begin(services, replace(asked, outputs=outputs, git_sha=None))
        errors = Outcome.read(begun.outcome).problems
    return _refusal(400, *errors)


async def validate(request: web.Request) -> web.Response:
    """Say what ``copy`` would do."""
    services = request.app[SERVICES]
    started = services.clock.monotonic()
    asked, vouched = await _asked(request, services)
    outcome = (await services.instance.copies.rehearsed(asked)).outcome
    if not vouched.proven or outcome.problems:
        return _refusal(400, *outcome.problems)
    nothing = dict.fromkeys(asked.outputs or {}, False)
    return _told(asked, outcome, nothing, services.clock.monotonic() - started)


def _copied(asked: Asked, outcome: Outcome) -> dict[str, bool]:
    """Tell which outputs production has."""
    copied = {output.key for output in outcome.copied}
    return {key: key in copied for key in asked.outputs or {}}


def _told(
    asked: Asked, outcome: Outcome, copied: Mapping[str, bool], seconds: float, location: str = ""
) -> web.Response:
    valid = _copied(asked, outcome)
    body = {
        "feedstock_exists": True,
        "errors": list(outcome.errors),
        "valid": valid,
        "copied": copied,
        "provider": asked.provider,
        "run_time": seconds,
    }
    return _json(body, 200 if all(valid.values()) else 400, location)


async def alive(_request: web.Request) -> web.Response:
    """Say that the service is there."""
    response = _json({"status": "operational"}, 200)
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    return response


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the routes, at the root and below each channel."""
    router.add_get("/alive", alive)
    for below in ("", "/{channel}"):
        for name, handler in (("copy", copy), ("validate", validate)):
            path = f"{below}/feedstock-outputs/{name}"
            router.add_post(path, _always_json(handler), expect_handler=defer_continue)
