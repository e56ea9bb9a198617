"""An upload is staged, sent and committed; each step answers exactly what the clients insist on."""

from __future__ import annotations

from pathlib import Path

import pytest

from channeld.web.rejections import BadRequest
from tests.support.anaconda import Client, Package, is_kept_by_nobody
from tests.support.packages import build_conda, build_tar_bz2
from tests.support.server import RunningServer, running_server, settings_in

ALPHA = Package(build_conda("alpha"))


async def test_the_first_look_ups_answer_404_with_an_error_that_no_cache_keeps(client: Client) -> None:
    answers = [
        await client.ask("GET", path)
        for path in (f"/dist/{ALPHA.path}", "/package/chan/alpha", "/release/chan/alpha/1.0")
    ]
    assert [answer.status for answer in answers] == [404, 404, 404]
    assert all(map(is_kept_by_nobody, answers))
    assert [answer.json for answer in answers] == [
        {
            "error": "The channel 'chan' has no file noarch/alpha-1.0-0.conda. "
            "Check the channel, the subdir and the file name."
        },
        {
            "error": "The channel 'chan' has no package 'alpha'. "
            "Check the channel, the name of the package and the version."
        },
        {
            "error": "The channel 'chan' has no package 'alpha' in the version '1.0'. "
            "Check the channel, the name of the package and the version."
        },
    ]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_is_said_of_packages_and_releases_is_taken_and_changes_nothing(
    client: Client, method: str
) -> None:
    about = {
        "public": True,
        "publish": False,
        "public_attrs": {"name": "alpha", "summary": "A", "license": {}},
    }
    answers = [
        await client.ask(method, "/package/chan/alpha", about),
        await client.ask(method, "/release/chan/alpha/1.0", {"requirements": [], "announce": False}),
    ]
    assert [(answer.status, answer.json) for answer in answers] == [
        (
            200,
            {
                "name": "alpha",
                "full_name": "chan/alpha",
                "owner": {"login": "chan", "user_type": "org"},
                "package_types": ["conda"],
            },
        ),
        (200, {"version": "1.0"}),
    ]
    assert (await client.ask("GET", "/package/chan/alpha")).status == 404


async def test_the_stage_says_where_the_bytes_go_in_texts(server: RunningServer, client: Client) -> None:
    staged = await client.stage(ALPHA, "main")
    assert (staged.status, sorted(staged.json)) == (200, ["dist_id", "form_data", "post_url"])
    assert staged.json["post_url"].startswith(f"{server.url}/upload/")
    assert staged.json["form_data"] == {"key": "chan/noarch/alpha-1.0-0.conda"}
    assert staged.json["dist_id"].endswith(f"-{ALPHA.sha256}")
    assert is_kept_by_nobody(staged)


async def test_the_bytes_go_to_the_url_under_which_clients_know_the_server(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, base_url="https://conda.example.org/mirror")
    async with running_server(tmp_path, settings=settings) as server:
        server.channel("chan")
        staged = await Client(server).stage(ALPHA)
    assert staged.json["post_url"].startswith("https://conda.example.org/mirror/upload/")


async def test_the_file_is_there_with_the_commit_and_not_before(
    server: RunningServer, client: Client
) -> None:
    staged = await client.stage(ALPHA, "main")
    assert (await client.dist(ALPHA)).status == 404
    posted = await client.post(staged, ALPHA)
    assert (await client.dist(ALPHA)).status == 404
    assert (await server.ask("GET", "/chan/noarch/alpha-1.0-0.conda")).status == 404
    assert await server.shown() == []
    committed = await client.commit(staged, ALPHA)
    assert (await client.dist(ALPHA)).status == 200

    assert (posted.status, posted.body) == (201, b"")
    assert (committed.status, committed.json) == (
        200,
        {
            "basename": "noarch/alpha-1.0-0.conda",
            "url": f"{server.url}/chan/noarch/alpha-1.0-0.conda",
        },
    )
    assert await server.shown() == ["alpha-1.0-0.conda"]
    assert (await server.ask("GET", "/chan/noarch/alpha-1.0-0.conda", token=None)).body == ALPHA.data


async def test_an_upload_has_all_labels_that_it_names(server: RunningServer, client: Client) -> None:
    assert await client.upload(ALPHA, "dev", "rc/1", "dev") == [200, 201, 200]
    assert await client.labels(ALPHA) == ["dev", "rc/1"]
    assert [await server.shown(label) for label in ("dev", "rc/1", "main")] == [
        ["alpha-1.0-0.conda"],
        ["alpha-1.0-0.conda"],
        [],
    ]


@pytest.mark.parametrize("channels", [[], None])
async def test_without_a_label_it_is_main(client: Client, channels: list[str] | None) -> None:
    staged = await client.stage(ALPHA, channels=channels)
    await client.post(staged, ALPHA)
    await client.commit(staged, ALPHA)
    assert await client.labels(ALPHA) == ["main"]


async def test_a_client_that_knows_no_sha256_and_sends_no_checksum_may_upload(client: Client) -> None:
    staged = await client.stage(ALPHA, sha256=None)
    posted = await client.post(staged, ALPHA, **{"Content-MD5": None, "Content-Length": None})
    committed = await client.commit(staged, ALPHA)
    assert [staged.status, posted.status, committed.status] == [200, 201, 200]


async def test_the_older_format_and_other_subdirs_are_taken_as_well(client: Client) -> None:
    beta = Package(
        build_tar_bz2("beta", "2.0", "h1_0", subdir="linux-64"), "beta-2.0-h1_0.tar.bz2", "linux-64"
    )
    assert await client.upload(beta) == [200, 201, 200]
    assert (await client.dist(beta)).json["sha256"] == beta.sha256


async def test_the_addressed_release_has_to_be_that_of_the_file(client: Client) -> None:
    answer = await client.ask("POST", "/stage/chan/beta/1.0/noarch/alpha-1.0-0.conda", {"channels": ["main"]})
    assert (answer.status, answer.json["error"]) == (
        400,
        str(BadRequest("alpha-1.0-0.conda is no file of beta 1.0")),
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"distribution_type": "pypi"}, 400),
        ({"distribution_type": 7}, 400),
        ({"channels": "main"}, 400),
        ({"channels": [7]}, 400),
        ({"channels": ["a b"]}, 422),
        ({"channels": ["x/noarch"]}, 422),
        ({"sha256": "zz"}, 400),
        ({"sha256": 7}, 400),
        ([], 400),
    ],
)
async def test_what_cannot_be_staged_is_said_in_a_sentence(client: Client, body: object, status: int) -> None:
    answer = await client.ask("POST", f"/stage/{ALPHA.path}", body)
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert list(client.server.services.instance.blobs.incoming.iterdir()) == []


async def test_a_name_that_no_file_may_have_is_refused_when_it_is_staged(client: Client) -> None:
    answer = await client.ask("POST", "/stage/chan/Alpha/1.0/noarch/Alpha-1.0-0.conda", {})
    assert (answer.status, list(answer.json)) == (422, ["error"])


async def test_a_channel_that_is_not_there_is_404(client: Client) -> None:
    answers = [
        await client.ask("POST", "/package/nowhere/alpha", {}),
        await client.ask("POST", "/stage/nowhere/alpha/1.0/noarch/alpha-1.0-0.conda", {}),
    ]
    assert [(answer.status, answer.json["error"]) for answer in answers] == [
        (404, "There is no channel 'nowhere'. Check the name, or create it with `channeld channel create`."),
    ] * 2
