"""Everything that the sandbox remembers, in one place. It lives in memory only."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from contract.settings import Settings
from fluxgate.sandbox.faults import Faults
from fluxgate.sandbox.g2a.catalogue import Catalogue
from fluxgate.sandbox.g2a.control import Control
from fluxgate.sandbox.g2a.listing import Listing
from fluxgate.sandbox.g2a.minute import Minute
from fluxgate.sandbox.g2a.trade import Order, Trade
from fluxgate.sandbox.g2a.webhooks import Webhooks
from fluxgate.sandbox.journal import Journal

SEED = 1
"""Every sandbox has the same catalogue, so that what was seen once is found again."""


class State:
    """One life of the sandbox, from start or reset to the next."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.control = Control(size=settings.g2a_sandbox_products)
        self.catalogue = Catalogue(SEED, settings.g2a_sandbox_products)
        self.listing = Listing(self.catalogue)
        self.trade = Trade(self.catalogue, self.control)
        self.journal = Journal()
        self.minute = Minute()
        self.faults = Faults([])
        self.webhooks = Webhooks(settings)
        self._tasks: set[asyncio.Task[None]] = set()

    def complete(self, order: Order) -> None:
        """See to it that a paid order ends as the control says: now, later or never."""
        if self.control.completion == "inline":
            self.trade.finish(order)
        elif self.control.completion != "never":
            is_told = self.control.completion == "webhook" and order.api == "contract"
            self.later(self._complete(order, self.control.delay_s, is_told))

    @property
    def waiting(self) -> int:
        """How much goes on by itself."""
        return len(self._tasks)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on by itself."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what goes on by itself."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _complete(self, order: Order, delay_s: float, is_told: bool) -> None:
        await asyncio.sleep(delay_s)
        self.trade.finish(order)
        if is_told:
            await self.webhooks.tell(order, self.control.webhooks)
