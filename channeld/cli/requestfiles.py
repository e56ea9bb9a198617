"""Files of requests: found, read and checked, before any of them goes to a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from channeld.cli.failures import Failure
from channeld.promotion.requestdocument import SIZE_LIMIT, Syntax
from channeld.promotion.requestreading import read_request
from channeld.promotion.requests import Problem, Request, RequestMalformed, TokenReset

_SYNTAXES: Final[dict[str, Syntax]] = {".yml": "yaml", ".yaml": "yaml", ".json": "json"}


@dataclass(frozen=True, slots=True)
class RequestFile:
    """A file with a request that can be applied, as far as it can be said without a server."""

    path: Path
    syntax: Syntax
    data: bytes = field(repr=False)
    request: Request

    @property
    def media_type(self) -> Literal["application/json", "application/yaml"]:
        return "application/json" if self.syntax == "json" else "application/yaml"

    @property
    def resets_tokens(self) -> bool:
        return isinstance(self.request.work, TokenReset)


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One thing that is wrong with a file."""

    path: Path
    problem: Problem

    def __str__(self) -> str:
        line = f":{self.problem.line}" if self.problem.line else ""
        return f"{self.path}{line}: {self.problem}"


def read_files(paths: Sequence[Path], channel: str) -> tuple[list[RequestFile], list[FileProblem]]:
    """Read files and folders of files; return the requests, and everything that is wrong.

    Args:
        channel: the one that is meant where a request does not say; "" for none.

    Raises:
        Failure: a folder cannot be read.
    """
    files: list[RequestFile] = []
    problems: list[FileProblem] = []
    for path in _each_once(paths):
        try:
            file = _read(path)
            if not (file.request.channel or channel):
                text = "does not say which channel it is about; give --channel, or it the key `channel`"
                raise RequestMalformed(str(path), (Problem("", text),))
        except RequestMalformed as error:
            problems += [FileProblem(path, problem) for problem in error.problems]
        else:
            files.append(file)
    return files, problems


def _each_once(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are meant, by name within a folder. What is hidden is none of them."""
    seen = set()
    for path in chain.from_iterable(map(_meant, paths)):
        if path.absolute() not in seen:
            seen.add(path.absolute())
            yield path


def _meant(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    try:
        return sorted(each for each in given.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise Failure(f"The folder {given} cannot be read: {error.strerror}.") from error


def _read(path: Path) -> RequestFile:
    """Read one file; raises ``RequestMalformed``."""
    syntax = _SYNTAXES.get(path.suffix)
    wrong = f"ends in none of {', '.join(_SYNTAXES)}" if syntax is None else ""
    if path.exists() and not path.is_file():  # opening a pipe would wait for somebody to write into it
        wrong = "is a folder" if path.is_dir() else "is no file"
    if syntax is None or wrong:
        raise RequestMalformed(str(path), (Problem("", wrong),))
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        problem = Problem("", f"cannot be read: {error.strerror}")
        raise RequestMalformed(str(path), (problem,)) from None
    return RequestFile(path, syntax, data, read_request(data, syntax, str(path)))
