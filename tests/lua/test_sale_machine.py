"""The scripts against the model: whatever order things happen in, both are in the same state after every step."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import lua
from contract.messages import encode_order
from contract.settings import Settings
from contract.transport import open_redis
from tests.lua.lane import WIDE, Lane, make_order, outcome
from tests.lua.model import Model
from tests.support.servers import Servers

PRODUCTS = ("ps5", "xbox")
BACKLOG_MAX = 12

orders = st.builds(
    lambda key, user, product, quantity: (f"key-{key}", user, product, quantity),
    st.integers(0, 7),
    st.sampled_from(("ann", "bob")),
    st.sampled_from((*PRODUCTS, "unknown")),
    st.integers(1, 3),
)


class SaleMachine(RuleBasedStateMachine):
    """Buyers, operators and workers, in any order."""

    runner: asyncio.Runner
    client: Any

    def __init__(self) -> None:
        super().__init__()
        self.lane = Lane(self.client, WIDE._replace(backlog_max=BACKLOG_MAX))
        self.model = Model(BACKLOG_MAX)
        self.asked: list[lua.Order] = []
        self.settled: list[tuple[str, list[lua.Outcome]]] = []
        self.ms = itertools.count()
        self.run(self.client.flushall())

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @rule(product=st.sampled_from(PRODUCTS), total=st.integers(0, 8), limit=st.integers(0, 4))
    def open_sale(self, product: str, total: int, limit: int) -> None:
        before = self.model.sales.get(product)
        epoch = self.run(self.lane.open(product, total, limit))
        assert before is None or epoch > before.epoch
        self.model.open(product, total, limit, epoch)
        self._name_last()

    @rule(batch=st.lists(orders, min_size=1, max_size=6))
    def admit(self, batch: list[tuple[str, str, str, int]]) -> None:
        asked = [make_order(k, user=u, product=p, quantity=q, ms=next(self.ms)) for k, u, p, q in batch]
        answers = self.run(self.lane.admit(*asked))
        expected = self.model.admit(asked)
        assert [tuple(answer) for answer in answers] == expected
        taken = [o for o, (status, _) in zip(asked, expected, strict=True) if status == lua.Status.ACCEPTED]
        self.asked += taken
        if taken:
            self._name_last()

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.asked))
        expected = self.model.cancel(order)
        assert self.run(self.lane.cancel(order)) == expected
        if expected == (lua.CancelStatus.CANCELLED, 1):
            self._name_last()

    @precondition(lambda self: self.model.outbox)
    @rule(data=st.data(), letter=st.sampled_from((lua.PERSISTED, lua.FAILED, lua.FAILED_WITHOUT_UNITS)))
    def settle(self, data: st.DataObject, letter: str) -> None:
        entry = data.draw(st.sampled_from(self.model.outbox))
        met = lua.CANCELLED if entry.kind == "cancelled" else letter
        outcomes = [outcome(order, met) for order in entry.orders]
        assert self.run(self.lane.settle([entry.name], *outcomes)) == 1
        self.model.settle(entry, letter)
        self.settled.append((entry.name, outcomes))

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        name, outcomes = data.draw(st.sampled_from(self.settled))
        assert self.run(self.lane.settle([name], *outcomes)) == 0

    @precondition(lambda self: any(record.ends for record in self.model.records.values()))
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """The record of a settled order comes to its end."""
        ended = [digest for digest, record in self.model.records.items() if record.ends]
        digest = data.draw(st.sampled_from(ended))
        assert self.run(self.client.delete(self.lane.keys.order(digest))) == 1
        del self.model.records[digest]

    @invariant()
    def stocks_and_books_agree(self) -> None:
        for product, sale in self.model.sales.items():
            found = self.run(self.lane.sale(product))
            left = self.run(self.lane.stock(product))
            assert (left, int(found["accepted"]), int(found["returned"])) == (sale.left, sale.accepted, sale.returned)
            assert left >= 0
            assert sale.total == left + sale.accepted - sale.returned
            if sale.limit:
                for buyer, units in sale.bought.items():
                    assert self.run(self.lane.bought(buyer, product)) == units <= sale.limit

    @invariant()
    def records_agree(self) -> None:
        for digest, record in self.model.records.items():
            found = self.run(self.lane.record(record.order))
            assert found is not None
            assert (found.state, found.order_id, found.epoch) == (record.state, record.order.order_id, record.epoch)
            assert encode_order(found.order) == record.order.payload
            assert (self.run(self.client.pttl(self.lane.keys.order(digest))) > 0) is record.ends

    @invariant()
    def outbox_and_backlog_agree(self) -> None:
        found = [(name, fields[b"kind"].decode()) for name, fields in self.run(self.lane.entries())]
        assert found == [(entry.name, entry.kind) for entry in self.model.outbox]
        assert self.run(self.lane.figures()).backlog == self.model.backlog

    def _name_last(self) -> None:
        self.model.outbox[-1].name = self.run(self.lane.last_entry())


@pytest.mark.slow
def test_scripts_and_model_agree_after_every_step(servers: Servers) -> None:
    with asyncio.Runner() as runner:
        client: Any = open_redis(Settings(redis_url=servers.redis_url))
        SaleMachine.runner, SaleMachine.client = runner, client
        run_state_machine_as_test(
            SaleMachine,
            settings=settings(
                max_examples=60,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
        runner.run(client.aclose())
