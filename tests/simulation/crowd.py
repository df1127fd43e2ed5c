"""Buyers and operators: they order, repeat, cancel, ask and open sales, and repeat whatever they got no answer to."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import lua
from contract.messages import Order, encode_order
from contract.order_ids import key_digest, make_order_id
from contract.transport import Question
from lua import CancelStatus, Limits, Status
from tests.simulation.network import Link
from tests.simulation.world import World
from workers import answers
from workers.faults import is_transient

PRODUCTS = ("ps5", "xbox")
USERS = ("ann", "bob", "cleo")
LIMITS = Limits(1_000_000, 1_000_000, 0, 1_000_000)
SECRET = b"the simulation's secret"
FOR_EVER_S = 9e9
AGAIN_S = (0.05, 0.5)
SHOPPING_S = 6.0
"""Buyers come in the first seconds, and are busy for some more."""
T = TypeVar("T")


@dataclass(frozen=True)
class Wish:
    """What a buyer wants under one key."""

    key: str
    user: str
    product: str
    quantity: int

    def order(self, ms: int) -> lua.Order:
        """The order as a gateway makes it at this moment: a repeated wish gets another id."""
        digest = key_digest(self.key, SECRET)
        payload = encode_order(Order(self.product, self.user, self.quantity, self.key))
        order_id = make_order_id(ms, 0, digest)
        return lua.Order(self.product, self.quantity, self.user, digest, order_id, payload, "")


class Crowd:
    """Everybody outside of the workers. They speak to Redis as the gateway does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._context = world.context(Link(world.weather))
        self._asking = world.context(Link(world.weather))
        self._ms = itertools.count(1_795_000_000_000)

    async def come(self) -> None:
        """Open the sales, and let everybody in."""
        die = self._world.die
        products = PRODUCTS[: die.randint(1, 2)]
        tasks = [self._operator(product) for product in products]
        for _ in range(die.randint(3, 12)):
            party = [self._wish(products) for _ in range(die.choice((1, 1, 2, 4)))]
            tasks.append(self._buyers(party))
        await asyncio.gather(*tasks)

    def _wish(self, products: tuple[str, ...]) -> Wish:
        """Few keys, so that many are used again. Now and then somebody uses the key of another."""
        die = self._world.die
        number = die.randrange(24)
        user = die.choice(USERS) if die.random() < 0.1 else USERS[number % len(USERS)]
        product = die.choice(products) if die.random() < 0.2 else products[number % len(products)]
        return Wish(f"key-{number}", user, product, 1 + number % 3)

    async def _operator(self, product: str) -> None:
        """Opens a sale, and perhaps opens it anew."""
        die = self._world.die
        for _ in range(die.choice((1, 1, 2, 3))):
            total, limit = die.choice((2, 8, 40)), die.choice((0, 0, 4))
            opening = partial(lua.open_sale, self._context.redis, self._context.keys, product, total, limit)
            await self._until_known(opening)
            await asyncio.sleep(die.uniform(0, SHOPPING_S))

    async def _buyers(self, party: list[Wish]) -> None:
        die = self._world.die
        await asyncio.sleep(die.uniform(0, SHOPPING_S))
        bought = await self._order(party)
        for wish, order_id in bought.items():
            if die.random() < 0.3:
                await asyncio.sleep(die.uniform(0, 1.5))
                await self._cancel(wish, order_id)
            if die.random() < 0.3:
                await asyncio.sleep(die.uniform(0, 4))
                await self._ask(wish, order_id)
            if die.random() < 0.3:
                await asyncio.sleep(die.uniform(0, 4))
                await self._order([wish])
            if die.random() < 0.2:
                await self._cancel(wish, order_id)

    async def _order(self, party: list[Wish]) -> dict[Wish, str]:
        """One batch, repeated until its answers are known; gives the orders that these keys have made."""
        context = self._context
        made: list[lua.Order] = []

        async def decide() -> lua.Verdict:
            orders = [wish.order(next(self._ms)) for wish in party]
            made.extend(orders)
            return await lua.admit(context.redis, context.keys, LIMITS, orders, [])

        verdict = await self._until_known(decide)
        bought: dict[Wish, str] = {}
        for wish, order, (status, detail) in zip(party, made[-len(party) :], verdict.answers, strict=True):
            self._world.met[f"order {Status(status).name}"] += 1
            if status in (Status.ACCEPTED, Status.REPLAYED):
                order_id = order.order_id if status == Status.ACCEPTED else detail.decode()
                bought[wish] = order_id
                self._expect(order_id in self._world.redis.history.accepted, f"{order_id} was never accepted")
        return bought

    async def _cancel(self, wish: Wish, order_id: str) -> None:
        context, order = self._context, wish.order(0)
        status, _ = await self._until_known(
            lambda: lua.cancel(
                context.redis,
                context.keys,
                digest=order.digest,
                order_id=order_id,
                product_id=wish.product,
                quantity=wish.quantity,
                buyer=wish.user,
            )
        )
        self._world.met[f"cancel {status.name}"] += 1
        if status == CancelStatus.CANCELLED:
            self._expect(order_id in self._world.redis.history.cancelled, f"{order_id} was never cancelled")

    async def _ask(self, wish: Wish, order_id: str) -> None:
        """What became of an order; once Redis has forgotten it, the gateway asks a worker."""
        context, order, question = self._context, wish.order(0), Question("1", "answers", FOR_EVER_S, order_id.encode())
        record = await self._until_known(lambda: context.redis.get(context.keys.order(order.digest)))
        if record is None:
            await self._until_known(lambda: answers.answer(self._asking, [question]))
            self._world.met["question"] += 1

    async def _until_known(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat what got no answer."""
        while True:
            try:
                return await work()
            except Exception as error:
                if not is_transient(error):
                    raise
                self._world.met["unknown outcome"] += 1
                await asyncio.sleep(self._world.die.uniform(*AGAIN_S))

    def _expect(self, truth: bool, complaint: str) -> None:
        if not truth:
            self._world.complaints.append(complaint)
