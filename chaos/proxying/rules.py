"""What a proxy does to connections, as data: one rule is one fault for the connections of one role."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple


class Cut(NamedTuple):
    """Every connection is reset, and new ones are too while it lasts. Strikes once a connection."""


class Hold(NamedTuple):
    """Nothing passes in either direction, and everything stays open: a partition. Strikes with every read that waits.

    What was sent meanwhile arrives when it is over, the end of a connection included. A new connection is made, because
    that is the kernel's doing, and then silent.
    """


class Delay(NamedTuple):
    """Everything is so much later, each way, in its order. Strikes with every read."""

    seconds: float


class Slice(NamedTuple):
    """Everything arrives in small pieces, so long apart. Strikes with every read that is cut into several."""

    piece_bytes: int
    apart_s: float = 0.001


class CutReply(NamedTuple):
    """The request arrives, what the server says to it does not, and then the connection is reset. Strikes once each.

    Only requests that hold `request`, where it is given. So many bytes of the reply still pass. `times` 0: without end.
    """

    request: bytes = b""
    passed_bytes: int = 0
    times: int = 0


Fault = Cut | Hold | Delay | Slice | CutReply


class Rule(NamedTuple):
    """A fault, and the role whose connections meet it."""

    role: str
    fault: Fault


@dataclass(eq=False)
class Strikes:
    """A rule at work: how often it has struck."""

    rule: Rule
    count: int = 0
    # Requests whose reply is cut as soon as it comes; at the end as many as have been.
    aimed: int = 0
    _struck: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        """It has struck once more."""
        self.count += 1
        self._struck.set()

    async def reach(self, count: int, within_s: float) -> None:
        """Wait until it has struck so often; TimeoutError when that takes too long."""
        async with asyncio.timeout(within_s):
            while self.count < count:
                self._struck.clear()
                await self._struck.wait()

    def takes_aim(self) -> bool:
        """Whether there is another reply to be cut."""
        fault = self.rule.fault
        if not isinstance(fault, CutReply) or (fault.times and self.aimed >= fault.times):
            return False
        self.aimed += 1
        return True
