"""What `fluxgate up` shows: sentences, where everything is, and a status line that lives where there is a terminal."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

# How often the status line is renewed: often enough to look alive, and one small read of Redis each time.
STATUS_EVERY_S = 0.5
# Without a terminal every line stays, so there is one only when something changed, and not before this has passed.
PLAIN_EVERY_S = 3.0


class Display:
    """Writes to standard output, for people at a terminal and for files alike."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Print a sentence, above the status line if there is one."""
        self._console.print(Text(sentence))

    def show_places(self, places: Sequence[tuple[str, str]]) -> None:
        """Print what is where."""
        width = max(len(what) for what, _ in places)
        lines = [Text.assemble((f"  {what:{width}}  ", "dim"), (where, "bold")) for what, where in places]
        self._console.print(Text("\n").join([Text(), *lines, Text()]))

    async def follow(self, status: Callable[[], Awaitable[str]], each_time: Callable[[], None]) -> None:
        """Show the status line until cancelled, and call `each_time` whenever it is renewed."""
        if not self._console.is_terminal:
            await self._follow_plainly(status, each_time)
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(Text(await status(), style="cyan", no_wrap=True, overflow="ellipsis"), refresh=True)
                each_time()
                await asyncio.sleep(STATUS_EVERY_S)

    async def _follow_plainly(self, status: Callable[[], Awaitable[str]], each_time: Callable[[], None]) -> None:
        shown, shown_at = "", -PLAIN_EVERY_S
        while True:
            line = await status()
            if line != shown and time.monotonic() - shown_at >= PLAIN_EVERY_S:
                self.say(line)
                shown, shown_at = line, time.monotonic()
            each_time()
            await asyncio.sleep(STATUS_EVERY_S)
