"""Which server a command talks to, and as whom: the options of every such command."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from channeld.cli.config import settings_of_process, settings_option
from channeld.cli.failures import Failure

if TYPE_CHECKING:
    from channeld.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

#: Where a token may lie on the server's own machine, below the data folder.
ADMIN_TOKEN_FILE: Final = "admin.token"  # noqa: S105 - its name, not a token
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class Target:
    """A server's URL, without a slash at the end, and the token for it, if there is one."""

    url: str
    token: str | None = field(repr=False)


def talks_to_server(function: F) -> F:
    """Give a command the options that name a server, and, as its first argument, a client of it."""

    @functools.wraps(function)
    def with_client(
        *args: Any,
        server: str | None,
        token: str | None,
        token_file: Path | None,
        path: Path | None,
        **options: Any,
    ) -> Any:
        from channeld.cli.client import Client

        return function(Client(target(server, token, token_file, path)), *args, **options)

    for option in reversed(_OPTIONS):
        with_client = option(with_client)
    return with_client  # type: ignore[return-value]


_OPTIONS: Final = (
    click.option(
        "--server",
        envvar="CHANNELD_URL",
        metavar="URL",
        help="The server. Also CHANNELD_URL. Without one, the server of the settings, on this machine.",
    ),
    click.option(
        "--token-file",
        envvar="CHANNELD_TOKEN_FILE",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="File that holds the token. Also CHANNELD_TOKEN_FILE.",
    ),
    click.option(
        "--token",
        envvar="CHANNELD_TOKEN",
        metavar="TOKEN",
        help="The token. Better in CHANNELD_TOKEN: everybody on a machine sees the options of its commands.",
    ),
    settings_option,
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def target(server: str | None, token: str | None, token_file: Path | None, config: Path | None) -> Target:
    """Decide where to go and as whom.

    The token in the data folder is taken only for the server of the settings: it must not be sent to another one.
    """
    if _is_given("token") and _is_given("token_file"):
        raise click.UsageError("There can be one token only: give --token or --token-file, not both.")
    if token_file is not None and (token is None or _is_given("token_file")):
        token = _read(token_file)
    if server is not None:
        return Target(_checked_url(server), _checked_token(token))
    settings = settings_of_process(config)
    if token is None:
        token = _local_token(settings)
    return Target(_local_url(settings), _checked_token(token))


def _is_given(name: str) -> bool:
    """Tell whether an option stands in the command: it goes before variables, also before another option's."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _checked_url(text: str) -> str:
    try:
        url = urlsplit(text)
        plain = url.scheme in ("http", "https") and url.hostname and not (url.query or url.fragment)
        well_formed = bool(plain) and url.port != 0
    except ValueError:  # brackets that do not close, or a port beyond all ports
        well_formed = False
    if not well_formed:
        raise click.UsageError(f"The URL of the server, {text!r}, is not of the form http://host:port.")
    if url.username or url.password:
        raise click.UsageError("The URL of the server has credentials in it: give the token by itself.")
    return text.rstrip("/")


def _checked_token(token: str | None) -> str | None:
    token = token.strip() if token is not None else None
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise click.UsageError("The token has characters that no token has.")
    return token or None


def _local_url(settings: Settings) -> str:
    host, port = settings.server.host, settings.server.port
    if port == 0:
        raise Failure(
            "The settings let the server take any free port, so it is not known which one.",
            "Name the server: --server or CHANNELD_URL.",
        )
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _local_token(settings: Settings) -> str | None:
    file = settings.storage.data_dir / ADMIN_TOKEN_FILE
    return _read(file) if os.access(file, os.R_OK) else None


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except OSError as error:
        raise Failure(f"The token file {str(file)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise Failure(f"The token file {str(file)!r} does not hold a token.") from None
