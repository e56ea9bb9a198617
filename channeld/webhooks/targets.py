"""Where a webhook may point: which URLs, and which networks. Pure.

Whoever may make a webhook has this server send requests. So that they do not reach what only this machine or its
network reaches, every address is checked when it is connected to (see ``connecting``), whatever the URL says.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import urlsplit

from channeld.errors import Rejected
from channeld.formats.rejections import shown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Characters of a URL.
URL_LIMIT: Final = 2048

_PRINTABLE: Final = re.compile(r"[!-~]+")
#: RFC 6052: an IPv4 address in the last 32 bits.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(eq=False)
class WebhookUrlRefused(Rejected):
    """Nothing is sent to such a URL. It is not repeated: it may hold a credential."""

    problem: str

    advice: ClassVar[str] = "Give a URL of the form https://host/path."

    def sentence(self) -> str:
        return f"The URL of the webhook {self.problem}."


@dataclass(eq=False)
class AddressRefused(Rejected):
    """The URL names an address in a network that webhooks do not reach."""

    address: str

    advice: ClassVar[str] = "If it is meant, the operator allows its network in webhooks.allowed_networks."

    def sentence(self) -> str:
        return f"The address {self.address} is in a network that webhooks do not reach."


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses may be connected to: those in no refused network, and those in an allowed one."""

    refused: tuple[Network, ...]
    allowed: tuple[Network, ...] = ()

    @classmethod
    def of(cls, refused: Iterable[str], allowed: Iterable[str]) -> Reach:
        """Read networks in CIDR notation."""
        return cls(tuple(map(ipaddress.ip_network, refused)), tuple(map(ipaddress.ip_network, allowed)))

    def admits(self, text: str) -> bool:
        """Tell whether an address may be connected to. What is no address may not."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if _within(address, self.allowed):
            return True
        return not any(_within(each, self.refused) for each in (address, *_carried(address)))


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _carried(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses that an IPv6 address stands for."""
    if address.version == 4:
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def check_url(text: str, reach: Reach) -> str:
    """Return the URL of a webhook, if something may be sent there as far as the URL itself tells.

    Raises:
        WebhookUrlRefused: it is not http or https, has credentials, or is no URL at all.
        AddressRefused: it names an address that may not be connected to.
    """
    if not _PRINTABLE.fullmatch(text) or len(text) > URL_LIMIT:
        raise WebhookUrlRefused(f"is not {URL_LIMIT} printable ASCII characters at most")
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError as error:  # brackets that do not close, or a port beyond all ports
        raise WebhookUrlRefused(f"cannot be read: {error}") from None
    if url.scheme not in ("http", "https"):
        raise WebhookUrlRefused(f"begins with {shown(url.scheme + ':')} instead of https:")
    if "@" in url.netloc:
        raise WebhookUrlRefused("has credentials in it; its signature says who sends it")
    if not host or port == 0:
        raise WebhookUrlRefused("names no host and port")
    if _is_address(host) and not reach.admits(host):
        raise AddressRefused(host)
    return text


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
