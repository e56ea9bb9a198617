"""``channeld apply``: what administrators of a channel are asked for by files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from channeld.cli.arguments import dry_run_option
from channeld.cli.connection import json_option, talks_to_server
from channeld.cli.failures import Failure
from channeld.cli.output import clean, counted, print_json, print_table

if TYPE_CHECKING:
    from channeld.cli.applying import Order, Result
    from channeld.cli.client import Client
    from channeld.cli.requestfiles import FileProblem, RequestFile


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH..."
)
@click.option("--channel", default="", help="The channel of requests that do not name one.")
@click.option(
    "--tokens",
    "tokens",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A new file for the tokens that `token_reset` makes: they are never printed.",
)
@click.option(
    "--reason", default="", metavar="TEXT", help="Why; kept in the audit. [default: the name of the file]"
)
@dry_run_option
@json_option
@talks_to_server
def apply(
    client: Client,
    paths: Sequence[Path],
    channel: str,
    tokens: Path | None,
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Apply requests: files in the form of conda-forge's admin-requests.

    Each PATH is a file, or a folder of them (.yml, .yaml, .json). All of them are read and checked first, then tried
    on the server, and only when no entry of any file is refused are they applied, one file after the other. A file is
    done whole or not at all. What is so already stays as it is, so applying a folder again is safe; only `token_reset`
    makes new tokens every time.

    \b
    Actions and their keys:
      broken, not_broken       packages: [<subdir>/<file name>]
      add_feedstock_output     feedstock_to_output_mapping: {<feedstock>: [<output or glob>]}
      remove_feedstock_output  the same, to take them off
      archive, unarchive       feedstocks: [<feedstock>]
      token_reset              feedstocks; skip_providers, providers, existing_tokens_time_to_expiration
      cfep3_copy               anaconda_org_packages: [{package, sha256}]; to_anaconda_org_label
    Every file may have `channel` and `reason`. A package to copy is <channel>[/label/<label>]/<subdir>/<file name>.

    \b
    Example:
      $ cat requests/numpy.yml
      action: broken
      packages:
      - linux-64/numpy-2.1.0-py313_0.conda
      $ channeld apply requests --channel conda-forge --dry-run
      $ channeld apply requests --channel conda-forge
    """
    from channeld.cli.applying import Order
    from channeld.cli.requestfiles import read_files

    files, problems = read_files(paths, channel)
    if problems:
        _tell_problems(files, problems, as_json=as_json)
    if tokens is None and not dry_run and any(file.resets_tokens for file in files):
        raise click.UsageError(
            "Tokens will be made: say with --tokens into which new file. They are never printed."
        )
    order = Order(channel=channel, reason=reason, dry_run=dry_run)
    outcome = _applied(client, files, order, tokens)
    if as_json:
        print_json({"requests": [result.as_json() for result in outcome.results], "problems": []})
    else:
        _print(outcome.results)
    _conclude(outcome, order, files)


def _tell_problems(files: Sequence[RequestFile], problems: Sequence[FileProblem], *, as_json: bool) -> None:
    """Tell everything that is wrong with the files, and fail."""
    if as_json:
        told = [
            {
                "file": str(each.path),
                "line": each.problem.line,
                "key": each.problem.key,
                "text": each.problem.text,
            }
            for each in problems
        ]
        print_json({"requests": [], "problems": told})
    else:
        for each in problems:
            click.echo(clean(str(each)), err=True)
    wrong = len({each.path for each in problems})
    raise Failure(
        f"{wrong:,} of {counted(wrong + len(files), 'file')} cannot be applied, so nothing was done.",
        "See `channeld apply --help` for what a request has.",
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of the files. ``began`` tells whether anything was to be done."""

    results: Sequence[Result]
    began: bool = False
    failure: Failure | None = None


def _applied(client: Client, files: Sequence[RequestFile], order: Order, tokens: Path | None) -> _Outcome:
    """Rehearse all files, and apply them if that is asked for and none is refused."""
    from channeld.cli import applying

    rehearsed = applying.rehearse(client, files, order)
    if order.dry_run or any(result.refused for result in rehearsed):
        return _Outcome(rehearsed)
    with applying.token_file(tokens) as keep:
        results, failure = applying.apply(client, files, order, keep)
    return _Outcome(results, began=True, failure=failure)


def _conclude(outcome: _Outcome, order: Order, files: Sequence[RequestFile]) -> None:
    """Fail if something was refused or went wrong; say in a sentence what became of it all."""
    if outcome.failure is not None:
        left = len(files) - len(outcome.results)
        click.echo(f"{counted(left, 'file')} could not be applied.", err=True)
        raise outcome.failure
    refused = sum(result.refused for result in outcome.results)
    if refused:
        end = "" if outcome.began else ", so nothing was done"
        raise Failure(f"{refused:,} of {counted(len(files), 'file')} cannot be applied{end}.")
    click.echo(_summary(outcome.results, order), err=True)


def _summary(results: Sequence[Result], order: Order) -> str:
    entries = [entry for result in results for entry in result.answer["entries"]]
    changed = sum(entry["outcome"] != "unchanged" for entry in entries)
    if not changed:
        return f"Nothing to change in {counted(len(results), 'file')}."
    done = f"{changed:,} of {counted(len(entries), 'entry', 'entries')} in {counted(len(results), 'file')}"
    return f"{done} would be done. Nothing was changed." if order.dry_run else f"{done} done."


def _print(results: Sequence[Result]) -> None:
    rows: list[tuple[object, ...]] = []
    for result in results:
        answer: dict[str, Any] = result.answer
        about = (result.file.path, answer["channel"], answer["action"])
        rows += [
            (*about, entry["subject"], entry["outcome"].replace("_", " "), entry["text"])
            for entry in answer["entries"]
        ]
        if not answer["entries"]:
            rows.append((*about, "-", answer["outcome"], result.refusal))
    if rows:
        print_table(("file", "channel", "action", "entry", "outcome", "why"), rows)
