"""Who a token is, and who an owner is.

    HEAD /                              200   the probe before everything else; the front page answers it
    GET  /user                          200   the account of the token
    GET  /user/<login>                  200   a channel
    GET  /authentication                200   the token
    GET  /authentication-type           200
    POST /authentications               403   there are no passwords

A token has no account of its own. Where all that it may do is in one channel, that channel stands for it, so that
``anaconda upload`` works without ``-u``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from aiohttp import web

from channeld.catalog import channels
from channeld.catalog.channels import Channel
from channeld.catalog.grants import matches
from channeld.catalog.rejections import ChannelMissing
from channeld.catalog.tokens import Token
from channeld.web.auth import NotAllowed
from channeld.web.dialects.anaconda.wire import Route
from channeld.web.native.route import Call
from channeld.web.native.values import optional_time, time_text


@dataclass(eq=False)
class NoPasswords(NotAllowed):
    """The client wants to turn a password into a token."""

    lacks: str = "This server has no passwords: its operator makes the tokens."

    advice: ClassVar[str] = "Give the token as `anaconda -t <token>`, or in the variable ANACONDA_API_TOKEN."


def home_of(token: Token) -> str:
    """Return the one channel that a token is about, "" where it is about several or patterns."""
    named = {grant.channels for grant in token.grants}
    (home,) = named if len(named) == 1 else {""}
    return "" if "*" in home or "?" in home else home


async def me(call: Call) -> web.Response:
    """Show the account of the token: its channel, or else the token itself."""
    home = home_of(call.token)
    channel = await call.read(lambda connection: channels.find(connection, home)) if home else None
    if channel is not None:
        return web.json_response(_account(channel))
    return web.json_response(
        {
            "login": call.token.id,
            "name": call.token.name,
            "user_type": "user",
            "created_at": time_text(call.token.created_ms),
        }
    )


async def user(call: Call, login: str) -> web.Response:
    """Show a channel as an account; a private one to whoever may do anything in it."""
    channel = await call.read(lambda connection: channels.get(connection, login))
    if channel.settings.private:
        token = await call.services.auth.token(call.request, f"Looking for the private channel {login!r}")
        if not any(matches(grant.channels, login) for grant in token.grants):
            raise ChannelMissing(login)
    return web.json_response(_account(channel))


def _account(channel: Channel) -> dict[str, Any]:
    return {
        "login": channel.name,
        "name": channel.name,
        "description": channel.settings.description,
        "user_type": "org",
        "created_at": time_text(channel.created_ms),
    }


async def authentication(call: Call) -> web.Response:
    """Show the token, without its secret."""
    token = call.token
    return web.json_response(
        {
            "id": token.id,
            "application": token.name,
            "user": home_of(token) or token.id,
            "scopes": sorted(
                {f"{verb}:{grant.channels}" for grant in token.grants for verb in grant.verbs},
            ),
            "created": time_text(token.created_ms),
            "expires": optional_time(token.expires_ms),
        }
    )


async def authentication_type(call: Call) -> web.Response:
    """Name the way to log in, of which the clients know two."""
    return web.json_response({"authentication_type": "password"})


async def log_in(call: Call) -> web.Response:
    """Refuse to make a token out of a password."""
    raise NoPasswords


ROUTES = (
    Route("GET", "/user", me, "Asking whose it is"),
    Route("GET", "/user/{login}", user),
    Route("GET", "/authentication", authentication, "Asking about itself"),
    Route("GET", "/authentication-type", authentication_type),
    Route("POST", "/authentications", log_in),
)
