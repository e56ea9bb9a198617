"""What the URLs of a channel mean."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from channeld.web.urls import (
    CHANNEL_DOCUMENTS,
    SUBDIR_DOCUMENTS,
    Kind,
    Resource,
    parse,
    snapshot_point,
    split_token,
)

HASH = "0123456789abcdef" * 4


def resource(
    kind: Kind,
    file: str = "index.html",
    *,
    subdir: str | None = None,
    label: str = "main",
    snapshot: str | None = None,
    token: str | None = None,
) -> Resource:
    """A resource of the channel ``lab``."""
    return Resource(kind, token, "lab", snapshot, label, subdir, file)


@pytest.mark.parametrize("file", sorted(SUBDIR_DOCUMENTS))
def test_documents_of_a_subdir(file: str) -> None:
    assert parse(f"/lab/noarch/{file}") == resource(Kind.SUBDIR_DOCUMENT, file, subdir="noarch")


@pytest.mark.parametrize("file", sorted(CHANNEL_DOCUMENTS))
def test_documents_of_a_channel(file: str) -> None:
    assert parse(f"/lab/{file}") == resource(Kind.CHANNEL_DOCUMENT, file)
    assert parse(f"/lab/label/rc/{file}") == resource(Kind.CHANNEL_DOCUMENT, file, label="rc")


@pytest.mark.parametrize(
    "file",
    ["zlib-1.3-h1_0.conda", "zlib-1.3-h1_0.tar.bz2", "r-a.b-1!2.0+x-0.conda", "Old_Name-1.0-0.tar.bz2"],
)
def test_artifacts_have_a_subdir_and_the_name_of_a_package(file: str) -> None:
    assert parse(f"/lab/linux-64/{file}") == resource(Kind.ARTIFACT, file, subdir="linux-64")
    assert parse(f"/lab/{file}") is None
    assert parse(f"/lab/linux-64/deeper/{file}") is None


@pytest.mark.parametrize(
    "file", ["zlib-1.3.conda", "zlib.tar.bz2", "-1-0.conda", "a-b-c-.conda", ".conda", "a-1-0.zip"]
)
def test_what_is_not_the_name_of_a_package_is_not_found(file: str) -> None:
    assert parse(f"/lab/linux-64/{file}") is None


def test_shards_lie_in_their_folder_under_each_label() -> None:
    file = f"shards/{HASH}.msgpack.zst"

    plain = parse(f"/lab/noarch/{file}")
    labelled = parse(f"/lab/label/a/b/noarch/{file}")

    assert plain == resource(Kind.SHARD, file, subdir="noarch")
    assert labelled == resource(Kind.SHARD, file, subdir="noarch", label="a/b")
    assert plain is not None
    assert plain.shard_hash == HASH


@pytest.mark.parametrize(
    "path",
    [
        f"/lab/noarch/{HASH}.msgpack.zst",
        f"/lab/shards/{HASH}.msgpack.zst",
        f"/lab/noarch/shards/{HASH.upper()}.msgpack.zst",
        f"/lab/noarch/shards/{HASH[1:]}.msgpack.zst",
        f"/lab/noarch/shards/{HASH}.msgpack",
        f"/lab/noarch/shards/shards/{HASH}.msgpack.zst",
        f"/lab/noarch/shards/{HASH}.msgpack.zst/",
    ],
)
def test_nothing_else_is_a_shard(path: str) -> None:
    assert parse(path) is None


def test_only_a_shard_has_a_shard_hash() -> None:
    with pytest.raises(ValueError, match=r"'repodata\.json' is no shard"):
        _ = resource(Kind.SUBDIR_DOCUMENT, "repodata.json", subdir="noarch").shard_hash


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/lab", resource(Kind.PAGE)),
        ("/lab/osx-arm64", resource(Kind.PAGE, subdir="osx-arm64")),
        ("/lab/new-os9", resource(Kind.PAGE, subdir="new-os9")),
        ("/lab/label/rc", resource(Kind.PAGE, label="rc")),
        ("/lab/label/a/b.c/d", resource(Kind.PAGE, label="a/b.c/d")),
        ("/lab/label/rc/noarch", resource(Kind.PAGE, label="rc", subdir="noarch")),
        ("/lab/snapshot/7", resource(Kind.PAGE, snapshot="7")),
        ("/lab/snapshot/7/label/rc/noarch", resource(Kind.PAGE, snapshot="7", label="rc", subdir="noarch")),
    ],
)
def test_folders_are_pages_and_only_they_want_a_slash(folder: str, expected: Resource) -> None:
    without_slash = parse(folder)

    assert parse(f"{folder}/") == expected
    assert parse(f"{folder}/index.html") == expected
    assert without_slash is not None
    assert without_slash.kind is Kind.PAGE_WITHOUT_SLASH
    assert without_slash.path == expected.path == f"{folder}/"


@pytest.mark.parametrize("label", ["rc", "a/b", "v1.0", "gcc-7", "pre-release", "label/x", "x/snapshot/7"])
def test_labels_may_have_slashes_dots_and_dashes(label: str) -> None:
    assert parse(f"/lab/label/{label}/noarch/repodata.json") == resource(
        Kind.SUBDIR_DOCUMENT, "repodata.json", subdir="noarch", label=label
    )


@pytest.mark.parametrize(
    "label",
    [
        "",
        "noarch",
        "a/noarch",
        "a/linux-64",
        "nolabel",
        ".",
        "..",
        "a/..",
        "../a",
        "a/./b",
        "a//b",
        "/a",
        "a/",
        "7",
        "-a",
    ],
)
def test_labels_that_could_not_exist_are_not_found(label: str) -> None:
    assert parse(f"/lab/label/{label}/noarch/repodata.json") is None
    assert parse(f"/lab/label/{label}/channeldata.json") is None


def test_a_label_that_looks_like_a_subdir_of_no_known_system_stays_a_label() -> None:
    assert parse("/conda-forge/label/rc/some-thing/noarch/repodata.json") == Resource(
        Kind.SUBDIR_DOCUMENT, None, "conda-forge", None, "rc/some-thing", "noarch", "repodata.json"
    )
    assert parse("/lab/label/rc/some-thing/") == resource(Kind.PAGE, label="rc/some-thing")
    assert parse("/lab/label/rc/some-thing/", frozenset({"some-thing"})) == resource(
        Kind.PAGE, label="rc", subdir="some-thing"
    )


def test_the_file_decides_what_stands_before_it() -> None:
    assert parse("/lab/label/a/b/repodata.json") is None
    assert parse("/lab/label/a/new-os9/repodata.json") == resource(
        Kind.SUBDIR_DOCUMENT, "repodata.json", label="a", subdir="new-os9"
    )
    assert parse("/lab/label/a/new-os9/channeldata.json") == resource(
        Kind.CHANNEL_DOCUMENT, "channeldata.json", label="a/new-os9"
    )


def test_the_label_main_has_two_urls_and_links_use_the_short_one() -> None:
    long = parse("/lab/label/main/noarch/repodata.json")

    assert long == parse("/lab/noarch/repodata.json")
    assert long is not None
    assert long.path == "/lab/noarch/repodata.json"


@pytest.mark.parametrize(
    "path", ["/lab/label", "/lab/label/", "/lab/label/index.html", "/lab/label/repodata.json"]
)
def test_label_without_a_label_is_not_found(path: str) -> None:
    assert parse(path) is None


def test_a_token_stands_at_the_root_and_in_nothing_else() -> None:
    assert parse("/t/ab-12/lab/label/rc/noarch/repodata.json.zst") == resource(
        Kind.SUBDIR_DOCUMENT, "repodata.json.zst", token="ab-12", label="rc", subdir="noarch"
    )
    assert parse("/lab/t/ab-12/noarch/repodata.json") is None


@pytest.mark.parametrize("token", ["", "a", "a_b", "a.b", "a%2Db", "a" * 256, "ä", "<TOKEN>", "a%00"])
def test_tokens_that_clients_would_mangle_are_not_found(token: str) -> None:
    assert parse(f"/t/{token}/lab/noarch/repodata.json") is None


@pytest.mark.parametrize(
    "path", ["/t", "/t/", "/t/ab-12", "/t/ab-12/", "/t/ab-12/t/ab-12/lab/noarch/repodata.json"]
)
def test_a_token_alone_names_nothing(path: str) -> None:
    assert parse(path) is None


def test_a_token_can_be_taken_off_any_path() -> None:
    assert split_token("/t/ab-12/get/lab/") == ("ab-12", "/get/lab/")
    assert split_token("/api/channels") == (None, "/api/channels")
    assert split_token("/t/a_b/get/lab/") is None
    assert split_token("/t/ab-12") is None


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("0", 0),
        ("7", 7),
        ("123456789012345678", 123456789012345678),
        ("2026-02-28", date(2026, 2, 28)),
        ("2026-02-28T23:59:59Z", datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)),
        ("2026-02-28T23:59:59.250Z", datetime(2026, 2, 28, 23, 59, 59, 250_000, tzinfo=UTC)),
    ],
)
def test_a_snapshot_is_of_a_revision_a_date_or_a_time(text: str, point: object) -> None:
    assert snapshot_point(text) == point
    assert parse(f"/lab/snapshot/{text}/noarch/repodata.json") == resource(
        Kind.SUBDIR_DOCUMENT, "repodata.json", subdir="noarch", snapshot=text
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "-1", "+1", "07", "1.0", "1e3", "latest", "1234567890123456789", "\u0667", "7\n"),
        *("2026-02-29", "2026-2-1", "0000-01-01", "2026-02-28T24:00:00Z", "2026-02-28T10:00:00"),
        *("2026-02-28 10:00:00Z", "2026-02-28T10:00:00+01:00", "2026-02-28T10:00Z"),
    ],
)
def test_other_points_are_not_found(text: str) -> None:
    assert snapshot_point(text) is None
    assert parse(f"/lab/snapshot/{text}/noarch/repodata.json") is None


def test_a_snapshot_stands_before_the_label() -> None:
    assert parse("/lab/snapshot") is None
    assert parse("/lab/snapshot/") is None
    assert parse("/lab/label/rc/snapshot/7/noarch/repodata.json") == resource(
        Kind.SUBDIR_DOCUMENT, "repodata.json", label="rc/snapshot/7", subdir="noarch"
    )


def test_content_types() -> None:
    paths = {
        "/lab/noarch/repodata.json": "application/json",
        "/lab/noarch/repodata.json.zst": "application/zstd",
        f"/lab/noarch/shards/{HASH}.msgpack.zst": "application/zstd",
        "/lab/noarch/zlib-1.3-h1_0.conda": "application/octet-stream",
        "/lab/rss.xml": "application/rss+xml",
        "/lab/noarch/": "text/html; charset=utf-8",
    }

    assert {path: found.content_type for path in paths if (found := parse(path))} == paths
