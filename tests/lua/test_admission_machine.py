"""Token buckets through `admit.lua`: the bucket of the lane and of each client, at every rate, on any clock.

Hypothesis plays the crowd, the clock and the operator who changes the rates; the model counts in whole numbers.
"""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import lua
from lua import Limits, Status
from tests.lua.clocked import EXPIRY_SLACK_MS, Clocked
from tests.lua.lane import Lane, look, make_order
from tests.lua.machines import run_machine
from tests.lua.test_token_bucket import NOW_US, SECOND_US, TOKEN, Model
from tests.support.servers import Servers

STOCK = 1_000_000_000
CLIENTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
RATES = st.one_of(st.sampled_from((0.001, 0.0015, 0.3, 1.0, 50.0, 999.999, 1_000_000.0)), st.floats(0.001, 1_000_000))
CLIENT_RATES = st.one_of(st.sampled_from((0.0, 0.0001, 0.001, 0.5, 1.0, 10.0, 1_000_000.0)), st.floats(0, 1_000_000))
BURSTS = st.one_of(st.sampled_from((1, 2, 50, 999_983, 1_000_000)), st.integers(1, 1_000_000))
LIMITS = st.builds(Limits, RATES, BURSTS, CLIENT_RATES, st.just(1_000_000))
STEPS_US = st.one_of(st.integers(0, 100), st.integers(0, 5 * SECOND_US), st.integers(0, 10**13))
# What is asked, by whom: a new order, an order of a key that has ordered, one of no sale, the three kinds of reads.
ASKED = st.lists(
    st.tuples(st.sampled_from(("order", "replay", "unknown", "status", "stock", "token")), st.sampled_from(CLIENTS)),
    min_size=1,
    max_size=12,
)
READS = ("status", "stock", "token")
FREE = {"replay": Status.REPLAYED, "unknown": Status.UNKNOWN_PRODUCT}
GRANTED = {"order": Status.ACCEPTED, "status": Status.FOUND, "stock": Status.FOUND, "token": Status.FOUND}


class Budget:
    """The bucket of the model, and what it may have given at most since its limits were set."""

    def __init__(self, refill: int, capacity: int) -> None:
        self.bucket = Model(refill, capacity)
        self.taken = 0
        self.walked_us = 0

    def wait_us(self, now_us: int) -> int:
        """Microseconds until there is a token."""
        return max(0, -((self.level(now_us) - TOKEN) // self.bucket.refill))

    def level(self, now_us: int) -> int:
        """Nano-tokens that it holds now."""
        if self.bucket.at_us is None:
            return self.bucket.capacity
        gained = max(0, now_us - self.bucket.at_us) * self.bucket.refill
        return min(self.bucket.capacity, self.bucket.level + gained)

    def take(self, now_us: int) -> None:
        """Take a token, which must be there."""
        assert self.bucket.ask(now_us)[0] == 0
        self.taken += 1

    def is_within_its_means(self) -> bool:
        """Never more than a full bucket and what has flown in while the clock went forward."""
        return self.taken * TOKEN <= self.bucket.capacity + self.walked_us * self.bucket.refill


class AdmissionMachine(RuleBasedStateMachine):
    """A crowd before one door."""

    runner: asyncio.Runner
    client: Any

    def __init__(self) -> None:
        super().__init__()
        self.clock: Any = Clocked(self.client, NOW_US)
        self.numbers = itertools.count(1)
        self.run(self.client.flushall())

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(limits=LIMITS)
    def open(self, limits: Limits) -> None:
        self.lane = Lane(self.clock, limits)
        self.run(self.lane.open(total=STOCK))
        self.first = make_order("first")
        wide = {"rate_per_s": 1_000_000, "burst": 1_000_000, "client_rate_per_s": 0}
        assert self.run(self.lane.admit(self.first, **wide))[0].status == Status.ACCEPTED
        self.run(self.client.delete(self.lane.keys.bucket))
        self.accepted = 1
        self._set(limits)

    def _set(self, limits: Limits) -> None:
        self.refill, self.capacity = max(1, round(limits.rate_per_s * 1000)), limits.burst * TOKEN
        self.client_refill = max(1, round(limits.client_rate_per_s * 1000))
        self.client_capacity = max(1, int(limits.client_rate_per_s)) * TOKEN
        self.with_clients = limits.client_rate_per_s > 0
        self.door = Budget(self.refill, self.capacity)
        self.clients: dict[str, Budget] = {}
        self.walked_us = 0

    @rule(step_us=STEPS_US)
    def time_passes(self, step_us: int) -> None:
        self.clock.now_us += step_us
        self.door.walked_us += step_us
        for budget in self.clients.values():
            budget.walked_us += step_us

    @rule(step_us=st.integers(1, 20 * SECOND_US))
    def the_clock_steps_back(self, step_us: int) -> None:
        self.clock.now_us -= step_us

    @rule(limits=LIMITS)
    def the_gateways_restart_with_other_limits(self, limits: Limits) -> None:
        """What the buckets hold stays, as far as the new ones have room."""
        self.lane.limits = limits
        door, clients = self.door, self.clients
        self._set(limits)
        self.clients = {client: Budget(self.client_refill, self.client_capacity) for client in clients}
        for before, after in [(door, self.door), *((clients[client], self.clients[client]) for client in clients)]:
            after.bucket.level, after.bucket.at_us = before.bucket.level, before.bucket.at_us

    @rule(asked=ASKED)
    def ask(self, asked: list[tuple[str, str]]) -> None:
        """One batch; its reads come last, those of orders first among them."""
        batch = sorted(asked, key=lambda item: (item[0] in READS, item[0] != "status"))
        orders = [self._order(kind, client) for kind, client in batch if kind not in READS]
        reads = [
            look("ps5" if kind == "stock" else "", order=self.first if kind == "status" else None, client=client)
            for kind, client in batch
            if kind in READS
        ]
        self._forget_what_has_ended()
        expected = [self._decide(kind, client) for kind, client in batch]
        verdict = self.run(lua.admit(self.clock, self.lane.keys, self.lane.limits, orders, reads))
        told = [(status, detail if status == Status.THROTTLED else None) for status, detail in verdict.answers]
        assert told == expected
        now_us = self.clock.now_us
        assert (verdict.wait_us, verdict.tokens) == (self.door.wait_us(now_us), self.door.level(now_us) // TOKEN)
        self.accepted += sum(status == Status.ACCEPTED for status, _ in expected)
        self._look_at_what_is_stored()

    def _order(self, kind: str, client: str) -> Any:
        if kind == "replay":
            return self.first._replace(client=client)
        product = "nothing" if kind == "unknown" else "ps5"
        return make_order(f"key-{next(self.numbers)}", product=product, client=client)

    def _decide(self, kind: str, client: str) -> tuple[Status, int | None]:
        if kind in FREE:
            return FREE[kind], None
        budgets = [self.door]
        if self.with_clients:
            budgets.append(self.clients.setdefault(client, Budget(self.client_refill, self.client_capacity)))
        wait_us = max(budget.wait_us(self.clock.now_us) for budget in budgets)
        if wait_us:
            return Status.THROTTLED, wait_us
        for budget in budgets:
            budget.take(self.clock.now_us)
        return GRANTED[kind], None

    def _forget_what_has_ended(self) -> None:
        """The bucket of a client lives as long as it takes to fill, and a second at least."""
        for client, budget in self.clients.items():
            key = self.lane.keys.client(client)
            ttl_ms = self.clock.ttl_ms(key)
            if ttl_ms is not None and ttl_ms < 0:
                budget.bucket.at_us = None

    @invariant()
    def nobody_was_let_in_beyond_capacity_and_rate(self) -> None:
        if hasattr(self, "door"):
            assert all(budget.is_within_its_means() for budget in (self.door, *self.clients.values()))

    def _look_at_what_is_stored(self) -> None:
        keys = {self.lane.keys.bucket: self.door}
        keys |= {self.lane.keys.client(client): budget for client, budget in self.clients.items()}
        *stored, left = self.run(self._read(list(keys)))
        assert left == b"%d" % (STOCK - self.accepted)
        for (key, budget), found in zip(keys.items(), stored, strict=True):
            bucket = budget.bucket
            if bucket.at_us is not None:
                assert found == {b"level": b"%d" % bucket.level, b"at_us": b"%016d" % bucket.at_us}
            if bucket.at_us == self.clock.now_us and budget is not self.door and budget.taken:
                # It ends when it has had time to fill, and is the same as none.
                fills_ms = max(1000, -(-self.client_capacity // (self.client_refill * 1000)))
                assert fills_ms - EXPIRY_SLACK_MS <= (self.clock.ttl_ms(key) or 0) <= fills_ms

    async def _read(self, buckets: list[str]) -> list[Any]:
        async with self.client.pipeline(transaction=False) as pipe:
            for key in buckets:
                pipe.hgetall(key)
            pipe.get(self.lane.of()[1])
            return await pipe.execute()


@pytest.mark.slow
def test_every_bucket_lets_in_exactly_whom_the_model_lets_in(servers: Servers) -> None:
    run_machine(AdmissionMachine, servers, examples=50, steps=20)
