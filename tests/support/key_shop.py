"""A shop whose only game is a product of G2A's sandbox: orders, their purchases one step at a time, and the proof."""

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from chaos.waiting import until
from contract.bus import BusCommand
from contract.sealing import open_reply, seal_body
from contract.settings import Settings
from tests.support.buyers import add_buyer, balance_of
from tests.support.desk import command, deliver, handled, open_desk
from tests.support.sandbox import Sandbox
from tests.support.store import add_game, new_id
from workers.follow_ups import follow_up
from workers.g2a import G2A
from workers.service import Desk, Ending, Replied
from workers.store_orders import STORE

PRICE = Decimal("10.20")
PRODUCT_CENTS = 1_000
LONG_AGO = "UPDATE g2a_purchases SET called_at = called_at - interval '1 hour' WHERE order_id = $1"
WITHIN_S = 15.0


class KeyShop(NamedTuple):
    """The worker of G2A in this process, the sandbox, one game, and somebody who buys it."""

    desk: Desk
    sandbox: Sandbox
    product: str
    game: str
    buyer: str

    async def order(self, quantity: int = 1, **more: Any) -> UUID:
        """A paid order of the game."""
        told = {"items": [{"gameId": self.game, "quantity": quantity}, *more.pop("items", [])]}
        body = {**told, "idempotency_key": new_id("key"), **more}
        reply = await handled(self.desk, STORE, "place_order", body, user_id=self.buyer)
        assert reply.status == 201, reply
        return UUID(msgspec.json.decode(reply.data)["id"])

    def told(self, order_id: UUID, kind: str = "purchase") -> BusCommand:
        """The command that an order leaves when it is paid."""
        return follow_up(order_id, kind, self.buyer)

    async def step(self, order_id: UUID) -> Ending:
        """Let a worker go on with an order once."""
        return await G2A.handlers["purchase"](self.desk, self.told(order_id))

    async def buy(self, order_id: UUID) -> Replied:
        """Let a worker go on until the order has ended; nobody waits for his pauses."""
        endings: list[Ending] = []

        async def ended() -> bool:
            endings.append(await self.step(order_id))
            return isinstance(endings[-1], Replied)

        await until(ended, WITHIN_S)
        assert isinstance(endings[-1], Replied)
        return endings[-1]

    async def time_passes(self, order_id: UUID) -> None:
        """Whoever was at a purchase of this order is not any more."""
        await self.desk.pool.execute(LONG_AGO, order_id)

    async def row(self, order_id: UUID) -> Mapping[str, Any]:
        """The order as it stands."""
        text = "SELECT *, status::text AS status FROM store_orders WHERE id = $1"
        return await self.desk.pool.fetchrow(text, order_id)

    async def purchases(self, order_id: UUID) -> list[Mapping[str, Any]]:
        """Its purchases as they stand."""
        text = "SELECT *, state::text AS state FROM g2a_purchases WHERE order_id = $1 ORDER BY number"
        return await self.desk.pool.fetch(text, order_id)

    async def states(self, order_id: UUID) -> list[str]:
        """The states of its purchases."""
        return [row["state"] for row in await self.purchases(order_id)]

    async def keys(self, order_id: UUID, user_id: str = "") -> list[str]:
        """The keys that its buyer reads."""
        sealed, key = seal_body(self.desk.tools.keys.public, {"order_id": str(order_id)})
        own = command("read_keys", msgspec.to_builtins(sealed), user_id=user_id or self.buyer)
        reply = await deliver(self.desk, G2A, own)
        assert reply.status == 200, reply
        return [item["key"] for item in msgspec.json.decode(open_reply(key, reply.data))["keys"]]

    async def balance(self) -> Decimal:
        """What the buyer has, by the ledger too."""
        return await balance_of(self.desk, self.buyer)

    async def bought(self) -> int:
        """Units that were paid for at the sandbox, and have not failed there."""
        return sum(order["quantity"] for order in await paid_orders(self.sandbox))


async def paid_orders(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The orders that cost money."""
    return [order for order in await sandbox.orders() if order["paid"] and order["status"] != "failed"]


async def assert_bought_once(sandbox: Sandbox) -> None:
    """No purchase of ours was paid for twice. The export API knows no reference, and pays each of its orders once."""
    references = Counter(order["reference"] for order in await paid_orders(sandbox) if order["reference"])
    assert {reference: times for reference, times in references.items() if times > 1} == {}


@contextlib.asynccontextmanager
async def open_key_shop(settings: Settings, sandbox: Sandbox, **control: Any) -> AsyncGenerator[KeyShop]:
    """A shop at this sandbox, which has forgotten everything and answers at once; `control` makes it misbehave."""
    await sandbox.reset()
    product = (await sandbox.contract("GET", "/products")).json()["data"][0]["id"]
    own = {"id": product, "quantity": 1_000, "price_cents": PRODUCT_CENTS}
    await sandbox.control(**{"completion": "inline", "products": [own], **control})
    async with open_desk(settings, G2A) as desk:
        game = await add_g2a_game(desk, product)
        yield KeyShop(desk, sandbox, product, game, await add_buyer(desk, "1000.00"))


def open_impatient_shop(settings: Settings, sandbox: Sandbox, dialect: Any) -> AbstractAsyncContextManager[KeyShop]:
    """A shop of this dialect that does not wait for long, so that what hangs is soon over."""
    own = {"g2a_dialect": dialect, "g2a_sandbox_port": sandbox.port, "g2a_rate_per_minute": 1_000_000}
    return open_key_shop(msgspec.structs.replace(settings, g2a_timeout_s=1.0, **own), sandbox)


async def add_g2a_game(desk: Desk, product: str) -> str:
    """A game that is this product; another one that was it, in a test before, is not any more."""
    game = await add_game(desk, price=PRICE, stock=500)
    await desk.pool.execute("UPDATE games SET g2a_product_id = NULL WHERE g2a_product_id = $1", product)
    await desk.pool.execute("UPDATE games SET g2a_product_id = $2 WHERE id = $1", game, product)
    return game
