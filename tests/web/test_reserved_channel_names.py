"""Channel names that would hide the server's own routes."""

from __future__ import annotations

import pytest

from channeld.formats.rejections import BadName
from channeld.web.rejections import ReservedChannelName
from channeld.web.urls import RESERVED_CHANNEL_NAMES, check_new_channel_name, parse

ROUTES_OF_UPLOAD_PROTOCOLS = [
    *(
        "user",
        "users",
        "package",
        "packages",
        "release",
        "dist",
        "stage",
        "commit",
        "download",
        "channels",
        "copy",
    ),
    *("authentication", "authentications", "authentication-type", "scopes", "search", "group", "groups"),
    *("api", "get", "feedstock-outputs", "t", "label", "health", "metrics", "docs", "static"),
    *("favicon.ico", "robots.txt"),
]


@pytest.mark.parametrize("name", ROUTES_OF_UPLOAD_PROTOCOLS)
def test_the_first_part_of_every_other_route_is_reserved(name: str) -> None:
    assert name in RESERVED_CHANNEL_NAMES


@pytest.mark.parametrize("name", sorted(RESERVED_CHANNEL_NAMES))
def test_a_reserved_name_is_refused_for_new_channels_and_is_no_channel_in_a_url(name: str) -> None:
    with pytest.raises(ReservedChannelName) as refused:
        check_new_channel_name(name)

    assert refused.value.detail() == {"channel": name}
    assert str(refused.value) == (
        f"The channel name {name!r} is reserved: URLs that begin with it belong to the server. Choose another name."
    )
    assert parse(f"/{name}/noarch/repodata.json") is None
    assert parse(f"/{name}/") is None


@pytest.mark.parametrize(
    "name", ["conda-forge", "bioconda", "main", "r", "a.b_c-d", "_private", "0", "api2", "tt"]
)
def test_other_names_are_free(name: str) -> None:
    assert check_new_channel_name(name) == name
    assert parse(f"/{name}/noarch/repodata.json") is not None


@pytest.mark.parametrize(
    "name", ["", "noarch", "linux-64", "a/b", "A", ".", "..", ".well-known", "ä", "a b", "a" * 129]
)
def test_what_is_not_a_channel_name_at_all_is_refused_as_such(name: str) -> None:
    with pytest.raises(BadName):
        check_new_channel_name(name)
