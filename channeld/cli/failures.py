"""How a command fails: a sentence on standard error, and an exit status that scripts can tell apart.

0 done; 1 refused or failed; 2 the command line is wrong (click's own); 3 the server, the disk or the database cannot
do it now; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import click

from channeld.errors import Rejected, Unavailable


class Failure(click.ClickException):
    """A sentence, and what to do next."""

    def __init__(self, sentence: str, advice: str = "") -> None:
        super().__init__(sentence)
        self.advice = advice

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.message}", file=file, err=True)
        if self.advice:
            click.echo(self.advice, file=file, err=True)


class Refused(Failure):
    """The server refuses: ``status`` is that of HTTP, ``code`` the name of the rule, ``data`` those of the case."""

    def __init__(
        self, sentence: str, advice: str, status: int, code: str, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(sentence, advice)
        self.status = status
        self.code = code
        self.data = data or {}


class NotNow(Failure):
    """It could not be done now; nothing is half-done, and trying again after some seconds may work."""

    exit_code = 3

    def __init__(self, sentence: str, advice: str = "", retry_after: float = 0.0) -> None:
        super().__init__(sentence, advice)
        self.retry_after = retry_after


class Interrupted(click.ClickException):
    """Ctrl-C, as shells tell it."""

    exit_code = 130

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=True)


@contextmanager
def failures_of() -> Iterator[None]:
    """Turn channeld's own errors into failures of the command."""
    try:
        yield
    except Rejected as error:
        raise Failure(error.sentence(), error.advice) from error
    except Unavailable as error:
        raise NotNow(error.sentence(), error.advice) from error
    except KeyboardInterrupt:
        raise Interrupted("Stopped.") from None
