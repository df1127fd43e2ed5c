"""Random histories of calls on Redis, made by gateway, workers, reaper, operators and vandals."""

import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any

import lua
from tests.lua.lane import WIDE, outcome
from tests.simulation.nemesis import POISON
from tests.simulation.sides import AGED_MS, AGES_MS, CONSUMERS, GROUP, KEYS, PRODUCTS, WISHES, Side, wish

NEVER_LAPSES_S = 3600
Call = Callable[[Side], Awaitable[Any]]


class Player:
    """Draws calls. What a call needs to know of the data, it reads from the side that it is made on."""

    def __init__(self, seed: int) -> None:
        self._die = random.Random(seed)
        self._ms = itertools.count()
        self._made: list[lua.Order] = []

    def draw(self) -> tuple[str, Call]:
        """The next call, with its name."""
        calls = (self._open, self._admit, self._admit, self._admit, self._cancel, self._settle, self._settle)
        calls += (self._read, self._read, self._again, self._claim, self._age, self._replay, self._regroup)
        calls += (self._forget, self._delete, self._poison, self._restore, self._look)
        chosen = self._die.choice(calls)
        return chosen.__name__, chosen()

    def _open(self) -> Call:
        product, total, limit = self._die.choice(PRODUCTS), self._die.randint(0, 6), self._die.choice((0, 2))
        return lambda side: lua.open_sale(side.client, KEYS, product, total, limit)

    def _admit(self) -> Call:
        orders = [wish(self._die.randrange(WISHES), next(self._ms)) for _ in range(self._die.randint(1, 4))]
        limits = WIDE._replace(backlog_max=self._die.choice((4, 1000)))
        self._made += orders

        async def call(side: Side) -> Any:
            return [tuple(answer) for answer in (await lua.admit(side.client, KEYS, limits, orders, [])).answers]

        return call

    def _cancel(self) -> Call:
        order = self._die.choice(self._made or [wish(0, 0)])
        return lambda side: lua.cancel(
            side.client,
            KEYS,
            digest=order.digest,
            order_id=order.order_id,
            product_id=order.product_id,
            quantity=order.quantity,
            buyer=order.buyer,
        )

    def _settle(self) -> Call:
        """Some of the first entries, each command with an outcome or dead."""
        count, seed = self._die.randint(1, 3), self._die.random()

        async def call(side: Side) -> Any:
            die = random.Random(seed)
            entries, outcomes, dead = list[tuple[str, int]](), list[lua.Outcome](), list[lua.Dead]()
            for index, (entry, fields) in enumerate((await side.client.xrange(KEYS.outbox))[:count]):
                kind = fields.get(b"kind", b"").decode()
                names = sorted(fields.keys() - {b"kind", b"at"} if kind != "opened" else ())
                entries.append((entry.decode(), max(1, len(names))))
                for name in names:
                    made = next((order for order in self._made if order.order_id.encode() == name), None)
                    letter = die.choice("pexo-") if kind == "orders" else "x"
                    kept = b"p" + b"0" * 36 + b"1" * 32 + b"kept" if die.random() < 0.2 else b""
                    if made and letter != "-":
                        outcomes.append(outcome(made, letter, index, kept))
                    else:
                        shown = name.decode(errors="replace")
                        dead.append(lua.Dead(index, kind, "1", shown, fields[name], "dead"))
            return await lua.settle(
                side.client, KEYS, group=GROUP, ttl_s=NEVER_LAPSES_S, entries=entries, outcomes=outcomes, dead=dead
            )

        return call

    def _read(self) -> Call:
        consumer, count = self._die.choice(CONSUMERS), self._die.randint(1, 4)
        return lambda side: side.streams[consumer].read(count, 1)

    def _again(self) -> Call:
        consumer, count = self._die.choice(CONSUMERS), self._die.randint(1, 4)
        return lambda side: side.streams[consumer].read_again(count)

    def _claim(self) -> Call:
        consumer, idle_ms = self._die.choice(CONSUMERS), self._die.choice((0, AGES_MS))

        return lambda side: side.streams[consumer].claim(idle_ms)

    def _age(self) -> Call:
        """Whatever a consumer holds becomes old."""
        consumer = self._die.choice(CONSUMERS)

        async def call(side: Side) -> None:
            for entry, _ in await side.client.xrange(KEYS.outbox):
                await side.client.age(entry, consumer)

        return call

    def _replay(self) -> Call:
        async def call(side: Side) -> Any:
            found = await side.client.xrange(KEYS.dead)
            return await lua.replay_dead(side.client, KEYS, found[0][0].decode() if found else "1-1")

        return call

    def _regroup(self) -> Call:
        return lambda side: side.client.xgroup_destroy(KEYS.outbox, GROUP)

    def _delete(self) -> Call:
        number, really = self._die.randrange(4), self._die.random() < 0.3

        async def call(side: Side) -> None:
            entries = await side.client.xrange(KEYS.outbox)
            if really and number < len(entries):
                await side.client.xdel(KEYS.outbox, entries[number][0])

        return call

    def _poison(self) -> Call:
        poison = self._die.choice(POISON)
        return lambda side: side.client.xadd(KEYS.outbox, dict(poison))

    def _restore(self) -> Call:
        number, early_ms = self._die.randrange(WISHES), self._die.choice((-1, AGED_MS))
        order = wish(number, 0)
        record = b"p" + order.order_id.encode() + b"1" * 32 + order.payload

        async def call(side: Side) -> None:
            until_ms = await lua.now_ms(side.client) + early_ms
            await lua.restore_records(side.client, KEYS, {order.digest: record}, until_ms)

        return call

    def _forget(self) -> Call:
        return lambda side: lua.forget_consumers(side.client, KEYS, GROUP, -1)

    def _look(self) -> Call:
        return lambda side: lua.snapshot(side.client, KEYS)
