"""One direction of a proxied connection: bytes on their way, in their order, none before it is due."""

import asyncio
import contextlib
import enum
import socket
import struct
from collections import deque
from collections.abc import Callable

# Bytes that may wait here before nothing more is read: as with a real partition, the sender then fills its own buffers.
WAITING_BYTES_MAX = 1_048_576
# Closing with "linger for no time" is how a socket is made to send RST.
NO_LINGER = struct.pack("ii", 1, 0)


class End(enum.Enum):
    """How a direction ends: by a FIN, or by a RST."""

    CLOSED = enum.auto()
    RESET = enum.auto()


class Flow:
    """From one end to the other. `ended` is called when a FIN has passed."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.closed = False
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, bytes | End]] = deque()
        self._waiting_bytes = 0
        self._held = self._choked = self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    def push(self, what: bytes | End, delay_s: float = 0.0) -> None:
        """Pass something on, so much later, and behind everything that waits already."""
        if not delay_s and not self._waiting and not self._held:
            self._pass(what)
            return
        self._waiting.append((self._loop.time() + delay_s, what))
        self._waiting_bytes += _size(what)
        self._pump()

    def hold(self, held: bool) -> None:
        """Let nothing pass, or let everything go on."""
        self._held = held
        self._pump()

    def choke(self, choked: bool) -> None:
        """The sink takes no more for now, or takes more again."""
        self._choked = choked
        self._pace()

    def drop(self) -> None:
        """Forget what waits: there is nobody to receive it."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._pump()

    def _pump(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and not self._held and self._waiting[0][0] <= self._loop.time():
            _, what = self._waiting.popleft()
            self._waiting_bytes -= _size(what)
            self._pass(what)
        if self._waiting and not self._held:
            self._timer = self._loop.call_at(self._waiting[0][0], self._pump)
        self._pace()

    def _pace(self) -> None:
        """Read from the source only while there is room for what it sends."""
        paused = self._choked or self._waiting_bytes > WAITING_BYTES_MAX
        if self.source is not None and paused != self._paused:
            self._paused = paused
            (self.source.pause_reading if paused else self.source.resume_reading)()

    def _pass(self, what: bytes | End) -> None:
        gone = self.sink is None or self.sink.is_closing()
        if isinstance(what, bytes):
            if self.sink is not None and not gone:
                self.sink.write(what)
        elif what is End.RESET:
            reset(self.sink)
        else:
            if self.sink is not None and not gone:
                self.sink.write_eof()
            self.closed = True
            self._ended()


def reset(transport: asyncio.WriteTransport | None) -> None:
    """End a connection by RST, whatever is still under way."""
    if transport is not None and not transport.is_closing():
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        transport.abort()


def _size(what: bytes | End) -> int:
    return len(what) if isinstance(what, bytes) else 0
