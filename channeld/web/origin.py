"""Where a request comes from, and under which URL its sender knows this server.

``Forwarded`` (RFC 7239) and ``X-Forwarded-*`` are believed from trusted proxies only; from anybody else they are
ignored, since whoever writes them could be anyone.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from aiohttp import web

from channeld.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:_]{1,255}")


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
        peer = request.remote or "unknown"
        if not self._trusts(peer):
            return peer
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        for hop in reversed(hops):
            if not self._trusts(hop):
                return hop if _is_address(hop) else peer
        return hops[0] if hops and _is_address(hops[0]) else peer

    def public_url(self, request: web.Request) -> str:
        """Return the URL of the server's root as clients write it, without a slash at the end."""
        if self.base_url:
            return self.base_url
        scheme, host = request.scheme, request.host
        if self._trusts(request.remote or ""):
            scheme = request.headers.get("X-Forwarded-Proto", scheme).split(",")[0].strip()
            host = request.headers.get("X-Forwarded-Host", host).split(",")[0].strip()
        if scheme not in ("http", "https") or _HOST.fullmatch(host) is None:
            return f"http://{request.host}"
        return f"{scheme}://{host}"

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
