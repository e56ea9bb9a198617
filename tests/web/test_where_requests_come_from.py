"""What proxies say of a request is believed from trusted ones only; then it decides addresses and links."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from channeld.settings import Settings
from channeld.settings.sections import Server
from channeld.web.origin import Origins


class Transport:
    """The connection of a mocked request."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._peer, 1234) if name == "peername" else default

    def is_closing(self) -> bool:
        return False


def origins(*trusted: str, base_url: str = "") -> Origins:
    return Origins.of(Settings(server=Server(trusted_proxies=trusted, base_url=base_url)))


def told(found: Origins, peer: str, headers: list[tuple[str, str]]) -> tuple[str, str]:
    """Return address and public URL of a request."""
    from multidict import CIMultiDict

    fields = CIMultiDict([("Host", "inner:8000"), *headers])
    request = make_mocked_request("GET", "/", headers=fields, transport=Transport(peer))
    return found.address(request), found.public_url(request)


FORWARDED = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "conda.example.org"),
]


def test_without_trust_nothing_is_believed() -> None:
    assert told(origins(), "198.51.100.7", FORWARDED) == ("198.51.100.7", "http://inner:8000")
    assert told(origins("10.0.0.0/8"), "198.51.100.7", FORWARDED) == ("198.51.100.7", "http://inner:8000")


def test_a_trusted_proxy_is_believed() -> None:
    assert told(origins("10.0.0.0/8"), "10.1.2.3", FORWARDED) == ("203.0.113.9", "https://conda.example.org")


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([("X-Forwarded-For", "1.1.1.1, 203.0.113.9")], "203.0.113.9"),
        # the client's own line comes first, the proxy's is added behind it
        ([("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")], "203.0.113.9"),
        ([("X-Forwarded-For", "203.0.113.9, 10.9.9.9")], "203.0.113.9"),
        ([("X-Forwarded-For", "10.8.8.8, 10.9.9.9")], "10.8.8.8"),
        ([("X-Forwarded-For", "1.1.1.1, nonsense")], "10.1.2.3"),
        ([("X-Forwarded-For", "1.1.1.1, nonsense, 10.9.9.9")], "10.9.9.9"),
        ([("X-Forwarded-For", "203.0.113.9:4711")], "203.0.113.9"),
        ([("X-Forwarded-For", "[2001:db8::7]:4711")], "2001:db8::7"),
        ([("X-Forwarded-For", "")], "10.1.2.3"),
        ([("Forwarded", 'for=203.0.113.9;proto=https, for="10.9.9.9"')], "203.0.113.9"),
        ([("Forwarded", 'For="[2001:db8::7]:4711"')], "2001:db8::7"),
        ([("Forwarded", "for=_hidden")], "10.1.2.3"),
        ([("Forwarded", "for=1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")], "203.0.113.9"),
    ],
)
def test_the_address_is_the_last_that_no_trusted_proxy_has(
    headers: list[tuple[str, str]], address: str
) -> None:
    assert told(origins("10.0.0.0/8"), "10.1.2.3", headers)[0] == address


def test_an_ipv4_address_in_the_clothes_of_ipv6_is_what_it_is() -> None:
    assert told(origins("10.0.0.0/8"), "::ffff:10.1.2.3", FORWARDED)[0] == "203.0.113.9"
    assert told(origins(), "::ffff:198.51.100.7", [])[0] == "198.51.100.7"


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ([("X-Forwarded-Proto", "https")], "https://inner:8000"),
        ([("X-Forwarded-Proto", "javascript")], "http://inner:8000"),
        ([("X-Forwarded-Host", "conda.example.org:8443")], "http://conda.example.org:8443"),
        ([("X-Forwarded-Host", "evil.example/<script>")], "http://inner:8000"),
        ([("X-Forwarded-Host", "a.example, b.example")], "http://a.example"),
        ([("Forwarded", "proto=https;host=conda.example.org")], "https://conda.example.org"),
        ([("Forwarded", 'proto=https;host="conda.example.org:8443"')], "https://conda.example.org:8443"),
        ([("Forwarded", "nonsense;;=")], "http://inner:8000"),
    ],
)
def test_links_are_those_that_the_client_knows(headers: list[tuple[str, str]], url: str) -> None:
    assert told(origins("10.0.0.0/8"), "10.1.2.3", headers)[1] == url


def test_a_base_url_is_never_overruled() -> None:
    found = origins("10.0.0.0/8", base_url="https://conda.example.org/mirror/")

    assert told(found, "10.1.2.3", FORWARDED)[1] == "https://conda.example.org/mirror"


@pytest.mark.parametrize("host", ["evil.example/<script>", "a b", "", "x" * 300])
def test_a_host_that_is_none_is_not_repeated(host: str) -> None:
    from multidict import CIMultiDict

    request = make_mocked_request("GET", "/", headers=CIMultiDict(Host=host), transport=Transport("10.1.2.3"))

    assert origins().public_url(request) == "http://localhost"
