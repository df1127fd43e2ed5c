"""Store orders against a model, on a real Postgres: after every step balance, stock, promo uses and ledger are its."""

import asyncio
import secrets
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as play

from contract.bus import BusCommand, encode, new_command_id
from contract.settings import Settings
from tests.support.buyers import add_buyer, balance_of, stock_of
from tests.support.desk import open_desk
from tests.support.servers import Servers
from tests.support.store import add_game
from workers.service import Desk, Refuse, Replied
from workers.store_orders import STORE

HISTORIES, STEPS = 25, 20
PRICES = (Decimal("0.01"), Decimal("9.99"), Decimal("33.33"))
STOCK = 6
USES_MAX = 2
PERCENT = Decimal("12.5")
BALANCE = "100.00"

carts = st.dictionaries(st.integers(0, len(PRICES) - 1), st.integers(1, 3), min_size=1)


@dataclass
class Made:
    """An order of the model."""

    items: dict[int, int]
    promo: bool
    total: Decimal
    status: str = "PROCESSING"
    began: bool = False
    key: str = field(default_factory=new_command_id)


class StoreMachine(RuleBasedStateMachine):
    """A buyer who orders, repeats and cancels, and a worker who buys keys."""

    runner: asyncio.Runner
    desk: Desk
    orders = Bundle("orders")

    @initialize()
    def begin(self) -> None:
        self.buyer = self.run(add_buyer(self.desk, BALANCE))
        self.games = [self.run(add_game(self.desk, price=price, stock=STOCK)) for price in PRICES]
        self.code = secrets.token_hex(8)
        body = {"code": self.code, "promo": {"percent": str(PERCENT), "usesMax": USES_MAX}}
        assert self.ask("put_promo_code", body) == 200
        self.made: dict[str, Made] = {}

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def ask(self, kind: str, body: Any) -> Any:
        """Handle a command; gives its status or, where it was refused, the code."""
        command = BusCommand(
            id=new_command_id(), kind=kind, body=msgspec.Raw(encode(body)), user_id=self.buyer, role="ADMIN"
        )
        self.reply: Any = None
        try:
            self.reply = self.run(STORE.handlers[kind](self.desk, command))
        except Refuse as refused:
            return refused.problem.code
        assert isinstance(self.reply, Replied)
        return self.reply.status

    def place(self, items: dict[int, int], promo: bool, key: str) -> Any:
        told = [{"gameId": self.games[i], "quantity": quantity} for i, quantity in items.items()]
        more = {"promo_code": self.code} if promo else {}
        return self.ask("place_order", {"items": told, "idempotency_key": key, **more})

    @property
    def balance(self) -> Decimal:
        return Decimal(BALANCE) - sum((order.total for order in self.standing()), Decimal(0))

    def standing(self) -> list[Made]:
        return [order for order in self.made.values() if order.status in ("PROCESSING", "COMPLETED")]

    def taken(self, i: int) -> int:
        return sum(order.items.get(i, 0) for order in self.standing())

    @rule(target=orders, items=carts, promo=st.booleans())
    def order(self, items: dict[int, int], promo: bool) -> Any:
        subtotal = sum((PRICES[i] * quantity for i, quantity in items.items()), Decimal(0))
        # In whole cents, half of one rounded up, by integers: not as the worker does it.
        tenths_of_percent = int(subtotal * 100) * int(PERCENT * 10)
        discount = Decimal((tenths_of_percent + 500) // 1000) / 100 if promo else Decimal(0)
        made = Made(items, promo, subtotal - discount)
        if promo and sum(order.promo for order in self.standing()) >= USES_MAX:
            expected: Any = "PROMO_CODE_EXHAUSTED"
        elif any(self.taken(i) + quantity > STOCK for i, quantity in items.items()):
            expected = "OUT_OF_STOCK"
        else:
            expected = 201 if made.total <= self.balance else "INSUFFICIENT_BALANCE"
        assert self.place(items, promo, made.key) == expected
        if expected != 201:
            nothing: Any = cast(Any, multiple)()
            return nothing
        order_id = self.shown()["id"]
        self.made[order_id] = made
        return order_id

    def shown(self) -> dict[str, Any]:
        return msgspec.json.decode(self.reply.data)

    @rule(order_id=orders)
    def repeat(self, order_id: str) -> None:
        made = self.made[order_id]
        assert self.place(made.items, made.promo, made.key) == 200
        assert self.shown()["id"] == order_id
        assert self.shown()["status"] == made.status

    @rule(order_id=orders, items=carts)
    def repeat_with_other_items(self, order_id: str, items: dict[int, int]) -> None:
        made = self.made[order_id]
        if items != made.items:
            assert self.place(items, made.promo, made.key) == "IDEMPOTENCY_KEY_REUSED"

    @rule(order_id=orders)
    def cancel(self, order_id: str) -> None:
        made = self.made[order_id]
        lawful = made.status == "CANCELLED" or (made.status == "PROCESSING" and not made.began)
        assert self.ask("cancel_order", {"order_id": order_id}) == (200 if lawful else "ORDER_NOT_CANCELLABLE")
        if lawful:
            made.status = "CANCELLED"

    @rule(order_id=orders)
    def buy_keys(self, order_id: str) -> None:
        made = self.made[order_id]
        if made.status == "PROCESSING":
            made.began = True
            self.change("purchase_began_at = coalesce(purchase_began_at, now())", order_id)

    @rule(order_id=orders)
    def complete(self, order_id: str) -> None:
        made = self.made[order_id]
        if made.began and made.status == "PROCESSING":
            made.status = "COMPLETED"
            self.change("status = 'COMPLETED'", order_id)

    def change(self, what: str, order_id: str) -> None:
        self.run(self.desk.pool.execute(f"UPDATE store_orders SET {what} WHERE id = $1", order_id))

    @invariant()
    def the_books_are_those_of_the_model(self) -> None:
        if not hasattr(self, "made"):
            return
        # It fails by itself where the ledger does not add up to the balance.
        assert self.run(balance_of(self.desk, self.buyer)) == self.balance
        for i, game in enumerate(self.games):
            assert self.run(stock_of(self.desk, game)) == (STOCK - self.taken(i), self.taken(i))
        used = self.run(self.desk.pool.fetchval("SELECT used FROM promo_codes WHERE code = $1", self.code))
        assert used == sum(order.promo for order in self.standing())


@pytest.mark.slow
def test_whatever_a_buyer_does_the_books_are_those_of_the_model(servers: Servers) -> None:
    with asyncio.Runner() as runner:
        opened = open_desk(Settings(redis_url=servers.redis_url, postgres_url=servers.postgres_url), STORE)
        StoreMachine.runner, StoreMachine.desk = runner, runner.run(opened.__aenter__())
        limits = settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        play(StoreMachine, settings=limits)
        runner.run(opened.__aexit__(None, None, None))
