"""Who a request comes from: the peer, or what a trusted proxy says of it."""

from gateway.head import listed
from gateway.rsgi import Scope

ADDRESS_LENGTH_MAX = 64


class Visitors:
    """Finds client addresses, believing X-Forwarded-For only where a trusted proxy wrote it."""

    def __init__(self, trusted_proxies: str) -> None:
        self._trusted = frozenset(trusted_proxies.split())

    def address(self, scope: Scope) -> str:
        """The address of the client; the nearest one that is no trusted proxy."""
        address = scope.client.rpartition(":")[0].strip("[]")
        if address not in self._trusted:
            return address
        for hop in reversed(listed(scope.headers, "x-forwarded-for").split(",")):
            hop = hop.strip()
            if hop and hop not in self._trusted:
                return hop[:ADDRESS_LENGTH_MAX]
        return address
