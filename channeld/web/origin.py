"""Where a request comes from, and under which URL its sender knows this server.

``X-Forwarded-*``, or ``Forwarded`` (RFC 7239) where there is none of them, is believed from trusted proxies only; from
anybody else it is ignored, since whoever writes it could be anyone. A proxy has to overwrite, extend or remove all of
them; nginx passes on what it does not know.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web

from channeld.settings import Settings
from channeld.web.fields import combined

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST: Final = re.compile(r"[A-Za-z0-9.\-\[\]:_]{1,255}")
_PAIR: Final = re.compile(r'\s*([A-Za-z]+)=(?:"([^"\\]*)"|([^\s";,]*))\s*')


@dataclass(frozen=True, slots=True)
class _Told:
    """What proxies told of a request: its hops from the client on, scheme and host, each "" where unknown."""

    hops: tuple[str, ...] = ()
    scheme: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Origins:
    """Answers both questions for one set of settings."""

    base_url: str
    trusted: tuple[Network, ...]

    @classmethod
    def of(cls, settings: Settings) -> Origins:
        """Read the settings."""
        networks = tuple(ipaddress.ip_network(text, strict=False) for text in settings.server.trusted_proxies)
        return cls(settings.server.base_url.rstrip("/"), networks)

    def address(self, request: web.Request) -> str:
        """Return the address of the client: the last one that no trusted proxy stands for."""
        peer = _parsed(request.remote or "")
        if peer is None:
            return request.remote or "unknown"
        for hop in reversed(_told(request).hops if self._trusts(peer) else ()):
            address = _parsed(hop)
            if address is None:  # what is before it may be anything, too
                break
            peer = address
            if not self._trusts(peer):
                break
        return str(peer)

    def public_url(self, request: web.Request) -> str:
        """Return the URL of the server's root as clients write it, without a slash at the end."""
        if self.base_url:
            return self.base_url
        peer = _parsed(request.remote or "")
        told = _told(request) if peer is not None and self._trusts(peer) else _Told()
        scheme = told.scheme if told.scheme in ("http", "https") else request.scheme
        for host in (told.host, request.host):
            if _HOST.fullmatch(host):
                return f"{scheme}://{host}"
        return f"{scheme}://localhost"

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.trusted)


def _told(request: web.Request) -> _Told:
    hops = combined(request.headers, hdrs.X_FORWARDED_FOR)
    scheme = combined(request.headers, hdrs.X_FORWARDED_PROTO)
    host = combined(request.headers, hdrs.X_FORWARDED_HOST)
    if hops is not None or scheme is not None or host is not None:
        return _Told(tuple(_listed(hops)), *(next(iter(_listed(text)), "") for text in (scheme, host)))
    forwarded = combined(request.headers, hdrs.FORWARDED)
    return _Told() if forwarded is None else _read_forwarded(forwarded)


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _read_forwarded(text: str) -> _Told:
    """Read ``Forwarded``: one element a proxy, the first of which speaks for the client (RFC 7239, section 4)."""
    elements = []
    for element in text.split(","):
        pairs = [_PAIR.fullmatch(pair) for pair in element.split(";") if pair.strip()]
        elements.append({pair[1].lower(): pair[2] or pair[3] or "" for pair in pairs if pair is not None})
    first = elements[0]
    return _Told(
        tuple(element.get("for", "") for element in elements),
        first.get("proto", "").lower(),
        first.get("host", ""),
    )


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    """Read an address, which may have a port; an IPv4 address in IPv6's clothes is told as what it is."""
    bare = text
    if text.startswith("["):
        bare = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        bare = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
