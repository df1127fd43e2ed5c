"""How many lanes there are: every process has to know the same number, or sales would lie in a lane where nobody looks.

Each lane remembers the number. One that is at rest takes any number; one that has a sale keeps its own, so a gateway
that was left running with another number can open nothing.
"""

from typing import Any, NamedTuple, cast

from lua.keys import LaneKeys, every_lane, product_digest
from lua.scripts import Client, call

LANES_MAX = 64
"""Lanes that are looked at for a number; no setting allows more."""
RENUMBER_KEYS = ("lanes", "outbox", "dead", "sales")


class LanesDiffer(Exception):
    """This process has another number of lanes than the sales in Redis. The message says what to do."""

    def __init__(self, lanes: int, in_force: int) -> None:
        super().__init__(
            f"FLUXGATE_LANES is {lanes}, but the sales in Redis are spread over {in_force}: set it to {in_force}; "
            "or close every sale with it, by POST /init with quantity 0, let the worker finish, and start again with "
            f"{lanes}."
        )


class _Found(NamedTuple):
    """A lane that has been used, and the number of lanes that it remembers; 0: none."""

    lane: int
    number: int

    @property
    def of(self) -> int:
        """The number of lanes that its sales are spread over: one, before lanes remembered any."""
        return self.number or 1


async def lanes_in_force(client: Client) -> int | None:
    """The number of lanes that Redis remembers; None where nothing has been sold or started yet."""
    return next((found.of for found in await _used(client)), None)


async def agree_on_lanes(client: Client, lanes: int) -> int:
    """Take `lanes` as the number, once at the start of a process that serves; gives the number in force.

    Raises LanesDiffer while sales lie in lanes of another number.
    """
    await check_lanes(client, lanes)
    used = await _used(client)
    others = [found for found in used if found.of != lanes]
    # The first lane last: its number is the one that is told, and the rest has to be done by then.
    for found in reversed(others):
        if not await renumber(client, LaneKeys(found.lane, lanes), looks=False):
            raise LanesDiffer(lanes, found.of)
    if others or sum(1 for found in used if found.number) < lanes:
        # Only then: in a full Redis nothing can be set, and whoever starts there has to make room.
        async with cast(Any, client).pipeline(transaction=False) as pipe:
            for keys in every_lane(lanes):
                pipe.set(keys.lanes, lanes, nx=True)
            await pipe.execute()
        for found in await _used(client):
            if found.of != lanes:
                raise LanesDiffer(lanes, found.of)
    return lanes


async def check_lanes(client: Client, lanes: int) -> None:
    """Raise LanesDiffer where `agree_on_lanes` would, and change nothing."""
    for found in await _used(client):
        if found.of != lanes and not await renumber(client, LaneKeys(found.lane, lanes), looks=True):
            raise LanesDiffer(lanes, found.of)


async def renumber(client: Client, keys: LaneKeys, looks: bool) -> bool:
    """Give a lane the number of its keys, or only look whether that can be done; False when it is not at rest."""
    names: list[bytes] = await cast(Any, client).hkeys(keys.sales)
    every = [keys.lanes, keys.outbox, keys.dead, keys.sales]
    for name in names:
        every += keys.product(product_digest(name.decode()))
    count = keys.count if keys.lane < keys.count else 0
    return bool(await call(client, "renumber", every, [count, int(looks), len(names)]))


async def _used(client: Client) -> list[_Found]:
    every = every_lane(LANES_MAX)
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        for keys in every:
            pipe.get(keys.lanes).exists(keys.sales)
        replies = await pipe.execute()
    numbers = zip(every, replies[::2], replies[1::2], strict=True)
    return [_Found(keys.lane, int(number or 0)) for keys, number, has_sales in numbers if number or has_sales]
