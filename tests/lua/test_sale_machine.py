"""The scripts against the model: whatever order things happen in, both are in the same state after every step."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from msgspec.structs import replace

import lua
from contract.messages import STATES
from lua.keys import product_digest
from tests.lua.clocked import Clocked
from tests.lua.lane import WIDE, Lane, make_order, outcome, read_record
from tests.lua.machines import run_machine
from tests.lua.model import DEAD, Entry, Model, Sale
from tests.lua.test_token_bucket import NOW_US, SECOND_US
from tests.support.servers import Servers

PRODUCTS = ("ps5", "xbox")
BACKLOG_MAX = 10
UNITS = (1, 125_000_000, 333_333_333)
"""What one unit of a history stands for: with the last, three of them are the greatest order but one."""
LETTERS = {word: letter for letter, word in STATES.items()}
TOTALS = st.sampled_from((4, 20, 20))
LIMITS = st.sampled_from((0, 0, 0, 4))
OUTCOMES = (lua.PERSISTED, lua.FAILED, lua.FAILED_WITHOUT_UNITS, DEAD)

orders = st.builds(
    lambda key, user, product, quantity: (f"key-{key}", user, product, quantity),
    st.integers(0, 7),
    st.sampled_from(("ann", "bob")),
    st.sampled_from((*PRODUCTS, *PRODUCTS, *PRODUCTS, "unknown")),
    st.integers(1, 3),
)


class SaleMachine(RuleBasedStateMachine):
    """Buyers, operators, workers and the clock, in any order."""

    runner: asyncio.Runner
    client: Any

    def __init__(self) -> None:
        super().__init__()
        self.clock: Any = Clocked(self.client, NOW_US)
        self.lane = Lane(self.clock, WIDE._replace(backlog_max=BACKLOG_MAX))
        self.model = Model(BACKLOG_MAX)
        self.asked: list[lua.Order] = []
        self.settled: list[tuple[str, list[lua.Outcome]]] = []
        self.ms = itertools.count()
        self.unit = 1
        self.run(self.client.flushall())

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def step(self, work: Any) -> Any:
        """Run a script."""
        self._lapse()
        return self.run(work)

    @initialize(unit=st.sampled_from(UNITS), total=TOTALS, limit=LIMITS)
    def begin(self, unit: int, total: int, limit: int) -> None:
        self.unit = unit
        for product in PRODUCTS:
            self.open_sale(product, total, limit)

    def open_sale(self, product: str, total: int, limit: int) -> None:
        epoch = self.step(self.lane.open(product, total * self.unit, limit * self.unit))
        assert epoch == self.model.open(product, total * self.unit, limit * self.unit, self.clock.now_us)
        self._name_last()

    @rule(step_us=st.one_of(st.integers(1, 1000), st.integers(-10 * SECOND_US, 10 * SECOND_US)))
    def the_clock_goes_on_or_back(self, step_us: int) -> None:
        self.clock.now_us += step_us

    @rule(product=st.sampled_from(PRODUCTS), total=TOTALS, limit=LIMITS)
    def open_anew(self, product: str, total: int, limit: int) -> None:
        self.open_sale(product, total, limit)

    @rule(batch=st.lists(orders, min_size=1, max_size=6))
    def admit(self, batch: list[tuple[str, str, str, int]]) -> None:
        asked = [make_order(k, user=u, product=p, quantity=q * self.unit, ms=next(self.ms)) for k, u, p, q in batch]
        answers = self.step(self.lane.admit(*asked))
        expected = self.model.admit(asked, self.clock.now_us)
        assert [tuple(answer) for answer in answers] == expected
        taken = [o for o, (status, _) in zip(asked, expected, strict=True) if status == lua.Status.ACCEPTED]
        self.asked += taken
        if taken:
            self._name_last()

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.asked))
        answer = self.step(self.lane.cancel(order))
        expected = self.model.cancel(order)
        assert answer == expected
        if expected == (lua.CancelStatus.CANCELLED, 1):
            self._name_last()

    @precondition(lambda self: self.model.outbox)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """Some entries in one call, in any order, each command with any outcome."""
        chosen = data.draw(st.lists(st.sampled_from(self.model.outbox), min_size=1, max_size=3, unique=True))
        met: list[list[str]] = []
        for entry in chosen:
            possible = (lua.CANCELLED, DEAD) if entry.kind == "cancelled" else OUTCOMES
            met.append([data.draw(st.sampled_from(possible)) for _ in entry.orders])
        self._settle(chosen, met)

    @precondition(lambda self: self.model.outbox)
    @rule()
    def work(self) -> None:
        """All that waits, as a worker settles it: an order whose key has ordered before fails."""
        met: list[list[str]] = []
        known = {digest: first.order.order_id for digest, first in self.model.firsts.items()}
        for entry in self.model.outbox:
            held = [known.setdefault(order.digest, order.order_id) == order.order_id for order in entry.orders]
            good = lua.CANCELLED if entry.kind == "cancelled" else lua.PERSISTED
            met.append([good if entry.kind == "cancelled" or first else lua.FAILED for first in held])
        self._settle(list(self.model.outbox), met)

    def _settle(self, chosen: list[Entry], met: list[list[str]]) -> None:
        outcomes: list[lua.Outcome] = []
        dead: list[lua.Dead] = []
        for index, (entry, letters) in enumerate(zip(chosen, met, strict=True)):
            for order, letter in zip(entry.orders, letters, strict=True):
                if letter == DEAD:
                    dead.append(self._corpse(index, entry, order))
                else:
                    outcomes.append(outcome(order, letter, index, self._first(order, letter)))
        names = [entry.name for entry in chosen]
        assert self.step(self.lane.settle_raw(names, outcomes, dead)) == len(chosen)
        for entry, letters in zip(chosen, met, strict=True):
            self.model.settle(entry, letters)
        self.settled += [(name, [o for o in outcomes if o.entry == i]) for i, name in enumerate(names)]

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        name, outcomes = data.draw(st.sampled_from(self.settled))
        assert self.step(self.lane.settle([name], *(replace(o, entry=0) for o in outcomes))) == 0

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.model.dead) - 1))
        found = self.run(self.client.xrange(self.lane.keys.dead))
        assert self.step(lua.replay_dead(self.clock, self.lane.keys, found[number][0].decode()))
        self.model.replay(self.model.dead[number])
        self._name_last()

    @precondition(lambda self: any(record.ends for record in self.model.records.values()))
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """The record of a settled order comes to its end."""
        digest = data.draw(st.sampled_from([digest for digest, record in self.model.records.items() if record.ends]))
        assert self.run(self.client.delete(self.lane.keys.order(digest))) == 1
        self.model.forget(digest)

    @precondition(lambda self: self.model.sales)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """Redis loses a sale, and the reaper notes it."""
        product = data.draw(st.sampled_from(sorted(self.model.sales)))
        sale = self.model.sales[product]
        self.run(self.client.delete(*self.lane.of(product)))
        assert self.step(lua.mark_lost(self.clock, self.lane.keys, product, sale.epoch, sale.total))
        self.model.lose(product)

    def _corpse(self, index: int, entry: Entry, order: lua.Order) -> lua.Dead:
        fields = dict(self.run(self.lane.entries()))[entry.name]
        value = fields[order.order_id.encode()]
        return lua.Dead(index, entry.kind, fields[b"at"].decode(), order.order_id, value, "dead")

    def _first(self, order: lua.Order, letter: str) -> bytes:
        """The record that a worker finds in Postgres for the key of a failed order."""
        first = self.model.firsts.get(order.digest)
        if first is None or letter not in (lua.FAILED, lua.FAILED_WITHOUT_UNITS):
            return b""
        letter = LETTERS[first.state]
        return f"{letter}{first.order.order_id}{first.at_us:016d}{first.epoch:016d}".encode() + first.order.payload

    @invariant()
    def all_data_agree(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        """Stocks, books, limits, records, outbox, dead letters and backlog, as of one instant."""
        keys, model = self.lane.keys, self.model
        async with self.client.pipeline(transaction=False) as pipe:
            for product in model.sales:
                sale, stock, buyers = keys.product(product_digest(product))
                pipe.hgetall(sale).get(stock).hgetall(buyers)
            for digest in model.records:
                pipe.get(keys.order(digest)).pttl(keys.order(digest))
            pipe.xrange(keys.outbox).xrange(keys.dead).hget(keys.figures, "backlog").keys("*:order:*")
            found = iter(await pipe.execute())
        for sale in model.sales.values():
            self._compare_sale(sale, next(found), next(found), next(found))
        for record in model.records.values():
            raw, ttl_ms = next(found), next(found)
            head = f"{record.order.order_id}{record.at_us:016d}{record.epoch:016d}"
            assert raw[1:] == head.encode() + record.order.payload
            assert read_record(raw, ttl_ms).state == record.state
            assert (ttl_ms > 0) is record.ends
        outbox, dead, backlog, records = found
        assert [(name.decode(), fields[b"kind"].decode()) for name, fields in outbox] == [
            (entry.name, entry.kind) for entry in model.outbox
        ]
        assert [fields[b"name"].decode() for _, fields in dead] == [entry.orders[0].order_id for entry in model.dead]
        assert int(backlog or 0) == model.backlog
        assert len(records) == len(model.records)

    def _compare_sale(
        self, sale: Sale, books: dict[bytes, bytes], left: bytes | None, bought: dict[bytes, bytes]
    ) -> None:
        if sale.lost:
            assert (left, bought) == (None, {})
            return
        told = [int(books[name]) for name in (b"epoch", b"total", b"limit", b"accepted", b"returned")]
        assert told == [sale.epoch, sale.total, sale.limit, sale.accepted, sale.returned]
        assert left == b"%d" % sale.left
        assert sale.left >= 0
        assert sale.total == sale.left + sale.accepted - sale.returned
        if sale.limit:
            assert {buyer.decode(): int(units) for buyer, units in bought.items()} == sale.bought
            assert all(units <= sale.limit for units in sale.bought.values())

    def _lapse(self) -> None:
        """Records whose end the clock has passed are gone with the next step."""
        for digest in list(self.model.records):
            ttl_ms = self.clock.ttl_ms(self.lane.keys.order(digest))
            if ttl_ms is not None and ttl_ms < 0:
                self.model.forget(digest)

    def _name_last(self) -> None:
        self.model.outbox[-1].name = self.run(self.lane.last_entry())


@pytest.mark.slow
def test_scripts_and_model_agree_after_every_step(servers: Servers) -> None:
    run_machine(SaleMachine, servers, examples=60, steps=30)
