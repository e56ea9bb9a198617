"""A file is deleted from downloads at once and from the indexes soon; its name stays taken."""

from __future__ import annotations

import pytest

from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant

FILE = "alpha-1.0-0.conda"
PATH = f"/api/v1/channels/chan/files/noarch/{FILE}"


@pytest.fixture(autouse=True)
async def uploaded(server: RunningServer) -> None:
    server.channel()
    await server.upload(FILE, build_conda("alpha"), "main", "dev")
    await server.settled()


async def test_a_deleted_file_is_gone_everywhere(server: RunningServer) -> None:
    deleted = await server.ask("DELETE", PATH)
    assert (deleted.status, deleted.body) == (204, b"")
    assert (await server.ask("GET", f"/chan/noarch/{FILE}")).status == 404
    assert [await server.shown(label) for label in ("main", "dev")] == [[], []]
    assert (await server.ask("GET", PATH)).problem == (404, "file_missing")
    assert (await server.ask("DELETE", PATH)).problem == (404, "file_missing")


async def test_its_name_is_never_given_to_other_bytes(server: RunningServer) -> None:
    await server.ask("DELETE", PATH)
    refused = await server.upload(FILE, build_conda("alpha", depends=["other"]))
    assert refused.problem == (409, "file_conflict")
    assert await server.shown() == []


@pytest.mark.parametrize(
    "rights",
    [
        [grant("upload", "label", "configure", "admin")],
        [grant("delete", labels="main")],
        [grant("delete", packages="beta")],
        [grant("delete", channels="other")],
    ],
)
async def test_it_takes_the_right_on_every_label(server: RunningServer, rights: list[object]) -> None:
    token = server.token(*rights)  # type: ignore[arg-type]
    assert (await server.ask("DELETE", PATH, token=token)).problem == (403, "not_allowed")
    assert await server.shown() == [FILE]


async def test_the_right_may_come_from_several_grants(server: RunningServer) -> None:
    token = server.token(grant("delete", labels="main"), grant("delete", labels="d*", packages="alpha"))
    assert (await server.ask("DELETE", PATH, token=token)).status == 204


async def test_a_file_without_labels_takes_the_right_on_all(server: RunningServer) -> None:
    order = {"files": [{"filename": FILE}], "remove": ["main", "dev"]}
    await server.ask("POST", "/api/v1/channels/chan/relabel", order)
    token = server.token(grant("delete", labels="main"))
    assert (await server.ask("DELETE", PATH, token=token)).problem == (403, "not_allowed")
    assert (await server.ask("DELETE", PATH, token=server.token(grant("delete")))).status == 204


async def test_a_file_under_a_locked_label_stays(server: RunningServer) -> None:
    await server.ask("PATCH", "/api/v1/channels/chan/labels/dev", {"locked": True})
    assert (await server.ask("DELETE", PATH)).problem == (409, "label_locked")
    assert await server.shown() == [FILE]


async def test_one_of_several_candidates_is_deleted_by_its_hash(server: RunningServer) -> None:
    server.channel("stage", kind="staging")
    first, second = [
        (await server.upload(FILE, build_conda("alpha", depends=[each]), channel="stage")).json["sha256"]
        for each in ("x", "y")
    ]
    path = f"/api/v1/channels/stage/files/noarch/{FILE}"
    assert (await server.ask("DELETE", path)).problem == (409, "candidate_ambiguous")
    assert (await server.ask("DELETE", f"{path}?sha256={second}")).status == 204
    assert (await server.ask("GET", path)).json["file"]["sha256"] == first


async def test_the_reason_is_written_down(server: RunningServer) -> None:
    await server.ask("DELETE", PATH, headers={"X-Reason": "a secret was inside"})
    entry = (await server.ask("GET", "/api/v1/audit?channel=chan&limit=1")).json["entries"][0]
    assert (entry["action"], entry["subject"], entry["reason"]) == (
        "file.delete",
        f"noarch/{FILE}",
        "a secret was inside",
    )
