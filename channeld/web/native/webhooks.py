"""``/webhooks``: who is told of what happens, and what became of it.

A webhook of one channel is the business of whoever may configure the channel; all others are the administrators'.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from sqlalchemy import Connection

from channeld.catalog import deliveries, webhooks
from channeld.catalog.deliveries import Delivery, DeliveryDone, DeliveryMissing
from channeld.catalog.grants import Grant, Verb, allows
from channeld.catalog.rejections import BadSettingValue, GrantMalformed
from channeld.catalog.webhooks import NewWebhook, TooManyWebhooks, Webhook, WebhookMissing, WebhookPaused
from channeld.settings.sections import Webhooks as WebhookSettings
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.native.values import optional_time, time_text
from channeld.web.shapes import Between, Length
from channeld.webhooks import signing
from channeld.webhooks.events import EVENTS
from channeld.webhooks.messages import message_id
from channeld.webhooks.targets import AddressRefused, Reach, WebhookUrlRefused, check_url

_ID_BYTES: Final = 10
_DELIVERIES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHook:
    """A webhook to create."""

    url: Annotated[str, "Where to send to: http or https, without credentials.", Length(2048)]
    channels: Annotated[
        str,
        "Of which channels: a name, or a pattern in which `*` stands for anything and `?` for one character.",
        Length(256),
    ] = "*"
    events: Annotated[tuple[str, ...], f"Of which events: {', '.join(EVENTS)}. All of them if left out."] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HookState:
    """A webhook: all but its secret."""

    id: Annotated[str, "Its id."]
    url: Annotated[str, "Where to."]
    channels: Annotated[str, "Of which channels."]
    events: Annotated[tuple[str, ...], "Of which events."]
    created: Annotated[str, "When it was made."]
    created_by: Annotated[str, "The id of the token that made it."]
    paused: Annotated[str | None, "Since when nothing is sent to it."]
    waiting: Annotated[int, "Deliveries that wait, for their turn or for another attempt."]
    dead: Annotated[int, "Deliveries that were given up."]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookMade:
    """A webhook just made."""

    secret: Annotated[str, "The key of its signatures. It is never shown again."]
    webhook: Annotated[HookState, "The webhook."]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookList:
    """The webhooks that the token may look after, in the order in which they were made."""

    webhooks: Annotated[tuple[HookState, ...], "The webhooks."]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryState:
    """One event on its way to one webhook, or there."""

    id: Annotated[int, "Its number, for trying it again."]
    message: Annotated[str, "The id that its receiver is given as `webhook-id`."]
    event: Annotated[str, "The event."]
    at: Annotated[str, "When it happened."]
    sequence: Annotated[int, "The number of the change in the audit."]
    state: Annotated[
        Literal["waiting", "delivered", "dead"], "Whether it waits, has arrived or was given up."
    ]
    attempts: Annotated[int, "How often it was tried."]
    tried: Annotated[str | None, "When it was tried last."]
    next: Annotated[str | None, "When it is tried next at the earliest."]
    problem: Annotated[str, "What the last attempt ran into; empty for nothing."]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDetail:
    """A webhook and its deliveries."""

    webhook: Annotated[HookState, "The webhook."]
    deliveries: Annotated[
        tuple[DeliveryState, ...], "Its deliveries, newest event first; old ones are forgotten."
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQuery:
    """Which deliveries to show."""

    state: Annotated[
        Literal["waiting", "delivered", "dead"] | None, "Those in this state; all if left out."
    ] = None
    limit: Annotated[int, "How many at most.", Between(0, _DELIVERIES)] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """How to go on."""

    skip: Annotated[bool, "Leave out what was not delivered and what happened since the pause."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What to try again."""

    delivery: Annotated[
        int | None, "The number of one delivery; all that have not arrived if left out.", Between(1, 2**62)
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What is tried again."""

    deliveries: Annotated[int, "How many deliveries."]


def _state(webhook: Webhook, waiting: int, dead: int) -> HookState:
    return HookState(
        id=webhook.id,
        url=webhook.url,
        channels=webhook.channels,
        events=webhook.events,
        created=time_text(webhook.created_ms),
        created_by=webhook.created_by,
        paused=optional_time(webhook.paused_ms),
        waiting=waiting,
        dead=dead,
    )


def _states(connection: Connection, found: list[Webhook]) -> list[HookState]:
    waiting, dead = deliveries.waiting(connection), deliveries.dead(connection)
    return [_state(webhook, waiting.get(webhook.id, 0), dead.get(webhook.id, 0)) for webhook in found]


def _delivery(delivery: Delivery) -> DeliveryState:
    return DeliveryState(
        id=delivery.id,
        message=message_id(delivery.webhook_id, delivery.audit_id, delivery.at_ms),
        event=delivery.event,
        at=time_text(delivery.at_ms),
        sequence=delivery.audit_id,
        state=delivery.state,
        attempts=delivery.attempts,
        tried=optional_time(delivery.tried_ms),
        next=optional_time(delivery.next_ms),
        problem=delivery.problem,
    )


def _may(call: Call, webhook: Webhook) -> bool:
    grants = call.token.grants
    if allows(grants, Verb.ADMIN, None):
        return True
    return bool(webhook.channel) and allows(grants, Verb.CONFIGURE, webhook.channel)


def _own(call: Call, connection: Connection, webhook_id: str) -> Webhook:
    """Look up a webhook that the token may look after; of any other one it is not told that it is there.

    Raises:
        WebhookMissing: there is none, for this token.
    """
    webhook = webhooks.get(connection, webhook_id)
    if not _may(call, webhook):
        raise WebhookMissing(webhook_id)
    return webhook


def _wanted(settings: WebhookSettings, channels: str, body: NewHook) -> NewWebhook:
    """Check what a webhook is to be, and give it an id and a key."""
    unknown = [event for event in body.events if event not in EVENTS]
    if unknown:
        raise BadSettingValue("An event", unknown[0], f"one of {', '.join(EVENTS)}")
    return NewWebhook(
        id=base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode().lower(),
        channels=channels,
        url=check_url(body.url, Reach.of(settings.refused_networks, settings.allowed_networks)),
        secret=signing.new_secret(secrets.token_bytes(signing.RANDOM_BYTES)),
        events=tuple(name for name in EVENTS if name in body.events) or tuple(EVENTS),
    )


async def create(call: Call, body: NewHook) -> Reply:
    channels = Grant.parse({"verbs": ["read"], "channels": body.channels}).channels
    channel = webhooks.only_channel(channels)
    if not allows(call.token.grants, Verb.ADMIN, None):
        call.require(Verb.CONFIGURE if channel else Verb.ADMIN, channel or None)
    settings = call.services.instance.settings.webhooks
    wanted = _wanted(settings, channels, body)
    actor = call.actor
    made = await call.write(lambda connection: webhooks.create(connection, wanted, actor, most=settings.most))
    return Reply(HookMade(secret=made.secret, webhook=_state(made, 0, 0)), 201)


async def list_(call: Call) -> Reply:
    def find(connection: Connection) -> list[HookState]:
        return _states(connection, [each for each in webhooks.every(connection) if _may(call, each)])

    return Reply(HookList(webhooks=tuple(await call.read(find))))


async def get(call: Call, webhook: str, query: DeliveryQuery) -> Reply:
    def find(connection: Connection) -> HookDetail:
        (state,) = _states(connection, [_own(call, connection, webhook)])
        recent = deliveries.newest(connection, webhook, query.limit, query.state)
        return HookDetail(webhook=state, deliveries=tuple(map(_delivery, recent)))

    return Reply(await call.read(find))


async def pause(call: Call, webhook: str) -> Reply:
    def work(connection: Connection) -> HookState:
        _own(call, connection, webhook)
        webhooks.pause(connection, webhook, call.actor)
        return _states(connection, [webhooks.get(connection, webhook)])[0]

    return Reply(await call.write(work))


async def resume(call: Call, webhook: str, body: Resumption) -> Reply:
    def work(connection: Connection) -> HookState:
        _own(call, connection, webhook)
        webhooks.resume(connection, webhook, call.actor, skip=body.skip)
        return _states(connection, [webhooks.get(connection, webhook)])[0]

    return Reply(await call.write(work))


async def retry(call: Call, webhook: str, body: Retry) -> Reply:
    def work(connection: Connection) -> int:
        _own(call, connection, webhook)
        return webhooks.retry(connection, webhook, call.actor, body.delivery)

    return Reply(Retried(deliveries=await call.write(work)))


async def ping(call: Call, webhook: str) -> Reply:
    def work(connection: Connection) -> None:
        _own(call, connection, webhook)
        webhooks.ask_for_ping(connection, webhook, call.actor)

    await call.write(work)
    return Reply(status=202)


async def delete(call: Call, webhook: str) -> Reply:
    def work(connection: Connection) -> None:
        _own(call, connection, webhook)
        webhooks.delete(connection, webhook, call.actor)

    await call.write(work)
    return Reply(status=204)


_RIGHT: Final = (
    "The token needs `admin`, or for a webhook of one channel the right `configure` on that channel."
)

ROUTES = (
    Route(
        "GET",
        "/webhooks",
        "List webhooks",
        list_,
        (Answer(200, "The webhooks.", HookList),),
        right="",
        text="Those that the token may look after: all of them with `admin`, otherwise those of single channels that "
        "it may `configure`.",
    ),
    Route(
        "POST",
        "/webhooks",
        "Create a webhook",
        create,
        (Answer(201, "It is told of everything that happens from now on.", HookMade),),
        right="",
        refusals=(WebhookUrlRefused, AddressRefused, GrantMalformed, BadSettingValue, TooManyWebhooks),
        headers=(REASON,),
        text=f"{_RIGHT} Not to be repeated without a look: every request makes another one.",
    ),
    Route(
        "GET",
        "/webhooks/{webhook}",
        "Show a webhook and its deliveries",
        get,
        (Answer(200, "The webhook.", HookDetail),),
        right="",
        refusals=(WebhookMissing,),
        text=_RIGHT,
    ),
    Route(
        "DELETE",
        "/webhooks/{webhook}",
        "Delete a webhook",
        delete,
        (Answer(204, "Nothing more is sent to it, and its deliveries are forgotten."),),
        right="",
        refusals=(WebhookMissing,),
        headers=(REASON,),
        text=_RIGHT,
    ),
    Route(
        "POST",
        "/webhooks/{webhook}/pause",
        "Pause a webhook",
        pause,
        (Answer(200, "The webhook; nothing is sent to it, and nothing is lost.", HookState),),
        right="",
        refusals=(WebhookMissing,),
        headers=(REASON,),
        text=_RIGHT,
    ),
    Route(
        "POST",
        "/webhooks/{webhook}/resume",
        "Resume a webhook",
        resume,
        (Answer(200, "The webhook; what happened meanwhile is sent, unless it is skipped.", HookState),),
        right="",
        refusals=(WebhookMissing,),
        headers=(REASON,),
        text=_RIGHT,
    ),
    Route(
        "POST",
        "/webhooks/{webhook}/retry",
        "Try deliveries again now",
        retry,
        (Answer(200, "How many are tried again, as if for the first time.", Retried),),
        right="",
        refusals=(WebhookMissing, DeliveryMissing, DeliveryDone),
        headers=(REASON,),
        text=_RIGHT,
    ),
    Route(
        "POST",
        "/webhooks/{webhook}/ping",
        "Send a test event",
        ping,
        (
            Answer(
                202,
                "The event `ping` is sent when its turn comes.",
            ),
        ),
        right="",
        refusals=(WebhookMissing, WebhookPaused),
        headers=(REASON,),
        text=_RIGHT,
    ),
)
