"""The status line: what the sale does right now, from the running totals in Redis."""

import time
from collections.abc import Sequence

from redis.exceptions import RedisError

import lua
from contract.bus import SERVICES
from contract.settings import Settings
from contract.transport import open_redis
from lua import Figures

# With more sales than this, only their sum fits the line.
SALES_NAMED_MAX = 2


class Status:
    """Reads the totals time and again, and turns two readings into rates."""

    def __init__(self, settings: Settings) -> None:
        self._redis = open_redis(settings, connections=1)
        self._lanes = lua.every_lane(settings.lanes)
        self._last: tuple[float, Figures] | None = None

    async def line(self) -> str:
        """The line of this moment."""
        try:
            figures = lua.sum_figures([await lua.read_figures(self._redis, keys) for keys in self._lanes])
            queues = await lua.read_queues(self._redis, SERVICES)
        except (RedisError, OSError):
            self._last = None
            return "Redis does not answer; nothing is sold until it does."
        now = time.monotonic()
        then, before = self._last or (now, figures)
        self._last = (now, figures)
        return format_status(figures, before, now - then, queues)

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()


def format_status(now: Figures, before: Figures, passed_s: float, queues: Sequence[lua.Queue] = ()) -> str:
    """The line for these totals; rates come from the ones before and the time that passed since.

    Of the queues of the bus it says something where there is something to say.
    """
    parts = [
        f"stock {_stock(now)}",
        f"accepted {_rate(before.accepted, now.accepted, passed_s)}/s",
        f"diverted {_rate(before.diverted, now.diverted, passed_s)}/s",
        f"backlog {now.backlog:,}",
        f"persisted {now.persisted:,}",
    ]
    waiting, dead = sum(queue.waiting for queue in queues), now.dead + sum(queue.dead for queue in queues)
    if waiting:
        parts.append(f"commands {waiting:,}")
    if dead:
        parts.append(f"dead letters {dead:,}")
    return " · ".join(parts)


def _stock(figures: Figures) -> str:
    if not figures.sales:
        return "none"
    if len(figures.sales) <= SALES_NAMED_MAX:
        return ", ".join(f"{product} {left:,} of {total:,}" for product, left, total in figures.sales)
    left, total = sum(sale[1] for sale in figures.sales), sum(sale[2] for sale in figures.sales)
    return f"{left:,} of {total:,} in {len(figures.sales):,} sales"


def _rate(before: int, now: int, passed_s: float) -> str:
    # Totals start again at nothing when Redis does.
    return f"{max(0, now - before) / max(passed_s, 0.001):,.0f}"
