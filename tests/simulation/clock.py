"""Virtual time: a loop that never waits. When nothing is ready, its clock jumps to what is due next."""

import asyncio
import selectors


class Stuck(Exception):
    """Everybody waits for somebody else: nothing is ready, and nothing will ever be due."""


class _Jumping(selectors.SelectSelector):
    """Waits for no socket, because there are none: the time that it should wait has passed already."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("nothing is ready, and nothing will ever be due")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The standard loop on a clock that begins at 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the loop was made, none of which anybody has waited."""
        return self._jumping.now_s
