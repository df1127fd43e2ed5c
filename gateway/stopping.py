"""How a gateway process hears that it shall stop while it still serves, so that replies without an end find one.

The server tells the application only after everything in flight is over, and waits for that: a stream that nobody ended
would hold it up until it is killed.
"""

import asyncio
import signal
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""Those that end the server."""


def hear_stop(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    """Set `stopping` at the first signal that ends the server, which hears it as before. For the main thread."""
    for number in SIGNALS:
        before = signal.getsignal(number)

        def heard(number: int, frame: FrameType | None, before: object = before) -> None:
            loop.call_soon_threadsafe(stopping.set)
            if callable(before):
                before(number, frame)

        signal.signal(number, heard)
        # As the loop has it: a signal interrupts no system call.
        signal.siginterrupt(number, False)
