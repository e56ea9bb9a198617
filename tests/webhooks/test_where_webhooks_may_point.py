"""Rule: webhooks reach no network that the operator does not let them reach, whatever a URL or a name says."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from channeld.catalog.database import Database
from channeld.settings.sections import SPECIAL_NETWORKS
from channeld.settings.sections import Webhooks as WebhookSettings
from channeld.webhooks.connecting import open_session
from channeld.webhooks.sending import send
from channeld.webhooks.signing import signed_headers
from channeld.webhooks.targets import AddressRefused, Reach, WebhookUrlRefused, check_url
from tests.support.receivers import receiving
from tests.support.webhooks import SECRET, dispatching, make_webhook, refusal, sent_of, settled, tell, tried

PUBLIC = Reach.of(SPECIAL_NETWORKS, ())


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/hook",
        "http://example.org:8080/a/b?c=d",
        "https://93.184.216.34/",
        "https://[2606:2800:220:1::1]/x",
        "https://localhost/",  # a name: what it resolves to is looked at when it is connected to
    ],
)
def test_http_and_https_are_taken(url: str) -> None:
    assert check_url(url, PUBLIC) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/hook",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "https://",
        "https:///path",
        "https://me:secret@example.org/",
        "https://me@example.org/",
        "https://@example.org/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://[::1/",
        "https://example.org/a b",
        "https://example.org/\r\nHost: other",
        "https://exämple.org/",
        "https://example.org/" + "x" * 2048,
    ],
)
def test_anything_else_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(WebhookUrlRefused) as refused:
        check_url(url, PUBLIC)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_refused_at_once(host: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(f"http://{host}/", PUBLIC)


def test_what_is_allowed_is_taken_out_of_what_is_refused() -> None:
    reach = Reach.of(SPECIAL_NETWORKS, ["10.1.0.0/16", "fc00:1::/32"])
    addresses = ["10.1.2.3", "10.2.0.1", "fc00:1::5", "fc00:2::5", "8.8.8.8", "no address", "fe80::1%eth0"]
    assert [reach.admits(address) for address in addresses] == [True, False, True, False, True, False, False]


def test_other_networks_can_be_refused() -> None:
    reach = Reach.of(["8.8.8.0/24"], ())
    assert (reach.admits("8.8.8.8"), reach.admits("::ffff:8.8.8.8"), reach.admits("127.0.0.1")) == (
        False,
        False,
        True,
    )


REFUSED = "It cannot be reached: the address {} is in a network that webhooks do not reach."


async def test_a_name_that_resolves_to_a_refused_address_is_not_connected_to(catalog: Database) -> None:
    async with receiving() as receiver, dispatching(catalog, settings=WebhookSettings()):
        port = receiver.url.rpartition(":")[2]
        make_webhook(catalog, f"http://localhost:{port}")
        tell(catalog, refusal())
        await settled(catalog, lambda: tried(catalog, "hook"))
        assert receiver.messages == []
    assert "is in a network that webhooks do not reach" in sent_of(catalog)[0].problem


async def reached(reach: Reach, url: str) -> str:
    """Send once; return the problem."""
    async with open_session(reach, 4, 2) as session:
        answer = await send(session, url, signed_headers(SECRET, "msg_1", 1, b"{}"), b"{}")
        return answer.problem


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1."])
async def test_no_notation_of_an_address_gets_around_it(host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        assert await reached(PUBLIC, f"http://{host}:{port}/") != ""
        assert receiver.messages == []
        assert await reached(Reach((), ()), f"http://127.0.0.1:{port}/") == ""
        assert len(receiver.messages) == 1


async def test_a_name_that_changes_its_mind_is_checked_where_it_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        nonlocal asked
        asked += 1
        address = "93.184.216.34" if asked == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected: list[Any] = []

    async def connect(_loop: object, _socket: socket.socket, address: object) -> None:
        connected.append(address)
        raise ConnectionRefusedError(111, "refused")

    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", connect)
        first = await reached(PUBLIC, f"http://rebinding.example:{port}/")
        second = await reached(PUBLIC, f"http://rebinding.example:{port}/")
        assert first == "It cannot be reached: Connection refused."
        assert second == REFUSED.format("127.0.0.1")
        assert connected == [("93.184.216.34", int(port))]  # the one that was looked up, and only that
        assert asked == 2
        assert receiver.messages == []


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert await reached(Reach((), ()), receiver.url) == ""
        assert (len(proxy.messages), len(receiver.messages)) == (0, 1)
