"""Who a request comes from: the peer, or what a trusted proxy says of it."""

from typing import Any

from gateway.head import Head

ADDRESS_LENGTH_MAX = 64


class Visitors:
    """Finds client addresses, believing X-Forwarded-For only where a trusted proxy wrote it."""

    def __init__(self, trusted_proxies: str) -> None:
        self._trusted = frozenset(trusted_proxies.split())

    def address(self, scope: Any, head: Head) -> str:
        """The address of the client; the nearest one that is no trusted proxy."""
        peer = scope.get("client")
        address: str = peer[0] if peer else ""
        if address not in self._trusted:
            return address
        hops = head.forwarded_for.decode("latin-1").split(",")
        for hop in reversed(hops):
            hop = hop.strip()
            if hop and hop not in self._trusted:
                return hop[:ADDRESS_LENGTH_MAX]
        return address
