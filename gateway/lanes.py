"""The lanes of one gateway process: which door a product or an order has, and what all doors share."""

import asyncio
import secrets
from collections.abc import Callable
from typing import NamedTuple

import lua
from contract.order_ids import parse_order_id
from contract.settings import Settings
from gateway.admission import Admission
from gateway.redis_faults import as_not_ready
from gateway.room import Pacer, Shelf
from lua import LaneKeys

SECRET_BYTES = 32


class Lane(NamedTuple):
    """One lane: its door, and what its waiting room is told."""

    admission: Admission
    pacer: Pacer
    shelf: Shelf


class Lanes:
    """All lanes. `secret` keys the digests of idempotency keys; it is empty until `prepare` has fetched it."""

    def __init__(self, client: lua.Client, settings: Settings) -> None:
        self.secret = b""
        # The one that Redis is given when it has none: ours of before, if it has lost its data.
        self._candidate = secrets.token_bytes(SECRET_BYTES)
        self._client = client
        self._preparing: asyncio.Task[None] | None = None
        self.all = [_lane(client, settings, keys, self._doubt) for keys in lua.every_lane(settings.lanes)]

    async def prepare(self) -> None:
        """Fetch the installation's secret, or make it, and agree on the number of lanes. Raises NotReady."""
        # Whoever waits is served by one question, and looks again: the answer may be in doubt by the time he wakes.
        while not self.secret:
            if self._preparing is None:
                self._preparing = asyncio.create_task(self._prepare())
            await asyncio.shield(self._preparing)

    async def _prepare(self) -> None:
        try:
            with as_not_ready():
                await lua.agree_on_lanes(self._client, len(self.all))
                self.secret = self._candidate = await lua.shared_secret(self._client, self._candidate)
        finally:
            self._preparing = None

    def of_product(self, product_id: str) -> Lane:
        """The lane that a product is sold in."""
        return self.all[lua.lane_of(product_id, len(self.all))]

    def of_order(self, order_id: str) -> tuple[Lane, str] | None:
        """The lane of an order, and the digest that its record is found by; None when it is not an order id."""
        found = parse_order_id(order_id)
        if found is None:
            return None
        lane, digest = found
        return self.all[lua.lane_of_order(lane, len(self.all))], digest

    def _doubt(self) -> None:
        """A connection broke: Redis may come back without its data, and all processes must agree on a secret again."""
        self.secret = b""

    async def close(self) -> None:
        """Let the batches in flight finish."""
        for lane in self.all:
            await lane.admission.close()


def _lane(client: lua.Client, settings: Settings, keys: LaneKeys, doubt: Callable[[], None]) -> Lane:
    pacer = Pacer(settings.lane_rate_per_s / settings.gateway_workers)
    return Lane(Admission(client, settings, keys, doubt=doubt), pacer, Shelf(client, keys))
