"""Labels are listed, put on, taken off, copied, locked and dropped, with the statuses that the clients insist on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.anaconda import Client, Package
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

ALPHA = Package(build_conda("alpha"))
ALPHA2 = Package(build_conda("alpha", "2.0"), "alpha-2.0-0.conda")
LINUX = Package(build_conda("alpha", subdir="linux-64"), subdir="linux-64")
BETA = Package(build_conda("beta"), "beta-1.0-0.conda")
EVERY = (ALPHA, ALPHA2, LINUX, BETA)
NOTHING = {"package": None, "version": None, "basename": None}


@pytest.fixture
async def filled(client: Client) -> Client:
    """A channel with four files under ``main``."""
    for package in EVERY:
        await client.upload(package)
    return client


async def carrying(client: Client, label: str) -> list[str]:
    """List the files that carry a label."""
    answer = await client.ask("GET", f"/channels/chan/{label}")
    return [] if answer.status == 404 else [file["basename"] for file in answer.json["files"]]


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ({"package": "alpha", "version": "1.0", "basename": "noarch/alpha-1.0-0.conda"}, [ALPHA]),
        ({"package": None, "version": None, "basename": "linux-64/alpha-1.0-0.conda"}, [LINUX]),
        ({"package": "alpha", "version": "1.0", "basename": "alpha-1.0-0.conda"}, [ALPHA, LINUX]),
        ({"package": "alpha", "version": "1.0"}, [ALPHA, LINUX]),
        ({"package": "alpha", "version": None, "basename": None}, [ALPHA, ALPHA2, LINUX]),
    ],
    ids=["a file", "a file by its name only", "a file without its subdir", "a version", "a package"],
)
async def test_a_label_is_put_on_and_taken_off_what_is_named(
    filled: Client, named: dict[str, Any], meant: list[Package]
) -> None:
    names = sorted(f"{package.subdir}/{package.filename}" for package in meant)
    for _ in range(2):  # again changes nothing
        answer = await filled.ask("POST", "/channels/chan/dev", named)
        assert (answer.status, await carrying(filled, "dev")) == (201, names)
    for _ in range(2):
        answer = await filled.ask("DELETE", "/channels/chan/dev", named)
        assert (answer.status, await carrying(filled, "dev")) == (201, [])
    assert len(await carrying(filled, "main")) == 4


@pytest.mark.parametrize(
    "named",
    [
        {"basename": "noarch/gamma-1.0-0.conda"},
        {"package": "gamma"},
        {"package": "alpha", "version": "3.0"},
        {"package": "beta", "version": "1.0", "basename": "noarch/alpha-1.0-0.conda"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_what_is_not_there_gets_no_label(filled: Client, method: str, named: dict[str, Any]) -> None:
    answer = await filled.ask(method, "/channels/chan/main", named)
    assert (answer.status, list(answer.json)) == (404, ["error"])
    assert len(await carrying(filled, "main")) == 4


@pytest.mark.parametrize("body", [NOTHING, {}, {"version": "1.0"}])
async def test_a_label_is_not_put_on_everything_by_accident(filled: Client, body: dict[str, Any]) -> None:
    answer = await filled.ask("POST", "/channels/chan/dev", body)
    assert (answer.status, await carrying(filled, "dev")) == (422, [])
    assert answer.json == {
        "error": "It is not said which files of the channel 'chan' are meant. "
        "Name a file, a package or a label: an action never means a whole channel by accident."
    }


async def test_with_nothing_named_a_label_is_dropped(server: RunningServer, filled: Client) -> None:
    await filled.ask("POST", "/channels/chan/dev", {"package": "alpha"})
    assert (await filled.ask("DELETE", "/channels/chan/dev", NOTHING)).status == 201
    assert (await filled.ask("GET", "/channels/chan")).json == {"main": {"is_locked": False}}
    assert (await filled.ask("DELETE", "/channels/chan/dev", NOTHING)).status == 404
    assert (await server.ask("GET", "/chan/label/dev/noarch/repodata.json")).status == 404


async def test_main_is_never_dropped(filled: Client) -> None:
    answer = await filled.ask("DELETE", "/channels/chan/main", NOTHING)
    assert (answer.status, len(await carrying(filled, "main"))) == (409, 4)


async def test_a_label_is_shown_with_its_files(filled: Client) -> None:
    await filled.ask("POST", "/channels/chan/dev", {"package": "beta"})
    answer = await filled.ask("GET", "/channels/chan/dev")
    (file,) = answer.json["files"]
    assert {**answer.json, "files": []} == {"name": "dev", "is_locked": False, "files": []}
    assert {**file, "upload_time": ""} == {
        "basename": "noarch/beta-1.0-0.conda",
        "full_name": "chan/beta/1.0/noarch/beta-1.0-0.conda",
        "version": "1.0",
        "upload_time": "",
    }


async def test_a_label_with_more_files_than_are_looked_up_at_a_time_is_shown_whole(
    filled: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.web.dialects.anaconda.labels._PAGE", 1)
    assert await carrying(filled, "main") == [
        "linux-64/alpha-1.0-0.conda",
        "noarch/alpha-1.0-0.conda",
        "noarch/alpha-2.0-0.conda",
        "noarch/beta-1.0-0.conda",
    ]


async def test_copying_a_label_puts_another_on_its_files(server: RunningServer, filled: Client) -> None:
    await filled.ask("POST", "/channels/chan/dev", {"package": "alpha", "version": "2.0"})
    assert (await filled.ask("POST", "/channels/chan/dev/copy/rc")).status == 201
    assert await carrying(filled, "rc") == ["noarch/alpha-2.0-0.conda"]
    assert await server.shown("rc") == ["alpha-2.0-0.conda"]
    assert (await filled.ask("POST", "/channels/chan/nothing/copy/rc")).status == 404


async def test_a_locked_label_takes_no_change_until_it_is_unlocked(filled: Client) -> None:
    change = {"package": "alpha", "version": "2.0"}
    await filled.ask("POST", "/channels/chan/dev", {"package": "beta"})
    seen = [
        (await filled.ask(method, path, body)).status
        for method, path, body in (
            ("POST", "/channels/chan/dev/lock", None),
            ("POST", "/channels/chan/dev/lock", None),
            ("POST", "/channels/chan/dev", change),
            ("DELETE", "/channels/chan/dev", {"package": "beta"}),
            ("DELETE", "/channels/chan/dev", NOTHING),
            ("GET", "/channels/chan/dev", None),
            ("DELETE", "/channels/chan/dev/lock", None),
            ("POST", "/channels/chan/dev", change),
            ("POST", "/channels/chan/nothing/lock", None),
        )
    ]
    assert seen == [201, 201, 409, 409, 409, 200, 201, 201, 404]
    assert await carrying(filled, "dev") == ["noarch/alpha-2.0-0.conda", "noarch/beta-1.0-0.conda"]


async def test_locks_are_listed(filled: Client) -> None:
    await filled.ask("POST", "/channels/chan/dev", {"package": "beta"})
    await filled.ask("POST", "/channels/chan/dev/lock")
    listed = (await filled.ask("GET", "/channels/chan")).json
    assert listed == {"dev": {"is_locked": True}, "main": {"is_locked": False}}
    assert (await filled.ask("GET", "/channels/chan/dev")).json["is_locked"] is True


@pytest.mark.parametrize("spelled", ["rc/1", "rc%2F1"])
async def test_a_label_may_have_slashes(filled: Client, spelled: str) -> None:
    statuses = [
        (await filled.ask("POST", f"/channels/chan/{spelled}", {"package": "beta"})).status,
        (await filled.ask("POST", f"/channels/chan/{spelled}/lock")).status,
        (await filled.ask("DELETE", f"/channels/chan/{spelled}/lock")).status,
        (await filled.ask("POST", f"/channels/chan/{spelled}/copy/dev/x")).status,
    ]
    assert statuses == [201] * 4
    assert await carrying(filled, spelled) == await carrying(filled, "dev/x") == ["noarch/beta-1.0-0.conda"]


@pytest.mark.parametrize("label", ["a%20b", "x/noarch", "nolabel", "x%2F..%2Fy", "a" * 200, "1"])
async def test_a_name_that_no_label_may_have_is_refused(filled: Client, label: str) -> None:
    answer = await filled.ask("POST", f"/channels/chan/{label}", {"package": "beta"})
    assert (answer.status, list(answer.json)) == (422, ["error"])
    assert list((await filled.ask("GET", "/channels/chan")).json) == ["main"]


async def test_rights_reach_as_far_as_their_labels_and_packages(
    server: RunningServer, filled: Client
) -> None:
    some = Client(server, server.token(grant("label", channels="chan", labels="dev", packages="alpha")))
    seen = [
        (await some.ask(method, path, body)).status
        for method, path, body in (
            ("POST", "/channels/chan/dev", {"package": "alpha", "version": "2.0"}),
            ("POST", "/channels/chan/dev", {"package": "beta"}),
            ("POST", "/channels/chan/main/copy/dev", None),
            ("POST", "/channels/chan/rc", {"package": "alpha"}),
            ("DELETE", "/channels/chan/main", {"package": "alpha"}),
            ("POST", "/channels/chan/dev/lock", None),
            ("DELETE", "/channels/chan/dev", NOTHING),
            ("DELETE", "/channels/chan/dev", {"package": "alpha"}),
        )
    ]
    assert seen == [201, 403, 403, 403, 403, 403, 403, 201]
    assert len(await carrying(filled, "main")) == 4
    assert (await Client(server, None).ask("POST", "/channels/chan/dev", {"package": "alpha"})).status == 401
