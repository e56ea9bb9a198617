"""Packages are uploaded, several at a time, checked end to end, and waited for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran, Run
from tests.support.packages import build_conda
from tests.support.server import ServerThread, grant

Write = Callable[[str, bytes], Path]
A1 = "alpha-1.0-0.conda"


def test_packages_are_uploaded_and_waited_for(server: ServerThread, run: Run, packages: Write) -> None:
    files = [
        packages(f"{name}-1.0-0.conda", build_conda(name, subdir=subdir))
        for name, subdir in (("alpha", "noarch"), ("beta", "noarch"), ("gamma", "linux-64"))
    ]
    done = run("upload", *map(str, files), "--channel", "chan", "--wait", "20")
    assert (done.status, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == [
        "3 packages live.",
        "alpha-1.0-0.conda: uploaded (noarch, labels main)",
        "beta-1.0-0.conda: uploaded (noarch, labels main)",
        "gamma-1.0-0.conda: uploaded (linux-64, labels main)",
    ]
    # no waiting here: they are live already
    for subdir, filename in (
        ("noarch", A1),
        ("noarch", "beta-1.0-0.conda"),
        ("linux-64", "gamma-1.0-0.conda"),
    ):
        assert filename in server.ask("GET", f"/chan/{subdir}/repodata.json").json["packages.conda"]


def test_the_bytes_arrive_as_they_are(server: ServerThread, run: Run, packages: Write) -> None:
    data = build_conda("alpha", files={"share/large": bytes(range(256)) * 8000})
    run("upload", str(packages(A1, data)), "--channel", "chan", "--label", "dev", "--label", "rc/1")
    assert server.ask("GET", f"/chan/label/rc/1/noarch/{A1}").body == data
    listed = json.loads(run("file", "list", "chan", "--json").stdout)["files"]
    assert [(file["labels"], file["sha256"]) for file in listed] == [
        (["dev", "rc/1"], hashlib.sha256(data).hexdigest())
    ]


def test_uploading_again_is_safe(server: ServerThread, run: Run, packages: Write) -> None:
    file = packages(A1, build_conda("alpha"))
    run("upload", str(file), "--channel", "chan")
    again = run("upload", str(file), "--channel", "chan", "--wait", "20")
    assert again == Ran(0, f"{A1}: was there already (noarch, labels main)\n1 package live.\n", "")


def test_what_is_refused_does_not_stop_the_others(server: ServerThread, run: Run, packages: Write) -> None:
    good = packages(A1, build_conda("alpha"))
    bad = packages("beta-1.0-0.conda", b"no package")
    done = run("upload", str(bad), str(good), "--channel", "chan")
    assert done.status == 1
    assert done.stdout == f"{A1}: uploaded (noarch, labels main)\n"
    assert done.stderr.startswith("beta-1.0-0.conda: ")
    assert done.stderr.endswith("Error: 1 of 2 files could not be uploaded.\n")
    assert server.shown() == [A1]


def test_programs_get_one_document(server: ServerThread, run: Run, packages: Write) -> None:
    good = packages(A1, build_conda("alpha"))
    bad = packages("beta-1.0-0.conda", b"no package")
    done = run("upload", str(bad), str(good), "--channel", "chan", "--json", "--wait", "20")
    document = json.loads(done.stdout)
    assert [(each["filename"], each["live"]) for each in document["uploaded"]] == [(A1, True)]
    assert [each["file"] for each in document["failed"]] == [str(bad)]
    assert done.status == 1


def test_a_wrong_token_stops_everything(server: ServerThread, run: Run, packages: Write) -> None:
    files = [str(packages(f"p{number}-1.0-0.conda", build_conda(f"p{number}"))) for number in range(6)]
    token = "cd-aaaaaaaaaaaa-" + "b" * 32
    done = run("upload", *files, "--channel", "chan", "--jobs", "1", env={"CHANNELD_TOKEN": token})
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: The token is not valid")
    assert server.shown() == []


def test_a_token_that_does_not_reach_is_told_for_each_file(
    server: ServerThread, run: Run, packages: Write
) -> None:
    files = [str(packages(f"{name}-1.0-0.conda", build_conda(name))) for name in ("alpha", "beta")]
    token = server.server.token(grant("upload", packages="alpha"))
    done = run("upload", *files, "--channel", "chan", env={"CHANNELD_TOKEN": token})
    assert done.status == 1
    assert "'upload' on the channel 'chan' does not extend to the package 'beta'" in done.stderr
    assert server.shown() == [A1]


def test_a_channel_is_created_on_demand_only(server: ServerThread, run: Run, packages: Write) -> None:
    file = str(packages(A1, build_conda("alpha")))
    refused = run("upload", file, "--channel", "new")
    assert refused.status == 1
    assert server.ask("GET", "/api/v1/channels/new").status == 404
    created = run("upload", file, "--channel", "new", "--create")
    assert (created.status, created.stderr) == (0, "Created the channel new.\n")
    assert server.shown(channel="new") == [A1]
    again = run("upload", file, "--channel", "new", "--create")
    assert (again.status, again.stderr) == (0, "")


def test_a_server_that_is_away_is_tried_again_and_then_given_up(run: Run, packages: Write) -> None:
    file = str(packages(A1, build_conda("alpha")))
    nowhere: dict[str, str | None] = {"CHANNELD_URL": "http://127.0.0.1:1"}
    done = run("upload", file, "--channel", "chan", "--retries", "1", env=nowhere)
    assert (done.status, done.stdout) == (3, "")
    assert "cannot be reached: Connection refused" in done.stderr


def test_a_file_that_is_not_there_is_a_wrong_command_line(run: Run, tmp_path: Path) -> None:
    assert run("upload", str(tmp_path / "none.conda"), "--channel", "chan").status == 2
    assert run("upload", "--channel", "chan").status == 2


def test_files_are_listed_shown_and_deleted(server: ServerThread, run: Run, packages: Write) -> None:
    run("upload", str(packages(A1, build_conda("alpha"))), "--channel", "chan", "--wait", "20")
    assert f"noarch/{A1}" in run("file", "list", "chan", "--name", "alpha").stdout
    assert run("file", "list", "chan", "--name", "beta").stdout.splitlines() == [
        "FILE  SIZE  LABELS  UPLOADED  SHA256"
    ]
    shown = run("file", "show", "chan", f"noarch/{A1}").stdout.splitlines()
    assert shown[0] == f"file:     noarch/{A1}"
    assert shown[-1].split()[:4] == ["main", "live", "1", "2"]
    assert run("file", "show", "chan", A1).status == 2
    deleted = run("file", "delete", "chan", f"noarch/{A1}", "--reason", "a secret")
    assert deleted == Ran(0, f"noarch/{A1} is deleted from the channel chan.\n", "")
    assert run("file", "show", "chan", f"noarch/{A1}").status == 1
