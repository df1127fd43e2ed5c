"""The status line: what the sale does right now, from the running totals in Redis."""

import time

from redis.exceptions import RedisError

import lua
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
        except (RedisError, OSError):
            self._last = None
            return "Redis does not answer; nothing is sold until it does."
        now = time.monotonic()
        then, before = self._last or (now, figures)
        self._last = (now, figures)
        return format_status(figures, before, now - then)

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()


def format_status(now: Figures, before: Figures, passed_s: float) -> str:
    """The line for these totals; rates come from the ones before and the time that passed since."""
    parts = [
        f"stock {_stock(now)}",
        f"accepted {_rate(before.accepted, now.accepted, passed_s)}/s",
        f"diverted {_rate(before.diverted, now.diverted, passed_s)}/s",
        f"backlog {now.backlog:,}",
        f"persisted {now.persisted:,}",
    ]
    if now.dead:
        parts.append(f"dead letters {now.dead:,}")
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
