"""GET /api/orders/{id}/keys: who has bought a key reads it, nobody else, and nothing keeps it."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

import lua
from chaos.waiting import until
from tests.support.http import Response
from tests.support.refusals import code
from tests.support.shop import Shop
from tests.support.shoppers import Shopper
from workers.vault import Vault, open_vault, place_of_key

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

KEY = "ABCDE-FGHIJ-KLMNO"
PURCHASE = """
    INSERT INTO g2a_purchases (id, order_id, game_id, number, product_id, quantity, price_max, state)
    VALUES ($1, $1, $2, 1, '1', $3, 20, 'delivered')
"""
ADD_KEY = "INSERT INTO g2a_keys (purchase_id, number, sealed) VALUES ($1, $2, $3)"
BECOMES = "UPDATE store_orders SET status = $2::text::store_order_status, reason = 'none' WHERE id = $1"


async def ordered(shop: Shop, shopper: Shopper, units: int = 1) -> UUID:
    """An order that is paid."""
    reply = await shopper.order({await shop.game(): units})
    assert reply.status == 201, reply
    return UUID(reply.json()["data"]["id"])


async def delivered(shop: Shop, order_id: UUID, *keys: str, units: int = 1, vault: Vault | None = None) -> None:
    """G2A has delivered these keys, and the order is completed."""
    pool = shop.desk.pool
    game = await pool.fetchval("SELECT game_id FROM store_order_items WHERE order_id = $1", order_id)
    await pool.execute(PURCHASE, order_id, game, units)
    vault = vault or open_vault(shop.settings)
    for number, key in enumerate(keys, 1):
        await pool.execute(ADD_KEY, order_id, number, vault.seal(key, place_of_key(order_id, number)))
    await pool.execute(BECOMES, order_id, "COMPLETED")


async def read(shopper: Shopper, order_id: object, **headers: str) -> Response:
    """Ask for the keys of an order."""
    return await shopper.send("GET", f"/api/orders/{order_id}/keys", **headers)


async def test_the_buyer_reads_his_keys_and_no_cache_keeps_them(shop: Shop) -> None:
    ann = await shop.shopper()
    order_id = await ordered(shop, ann, 2)
    await delivered(shop, order_id, "KEY-ONE", "KEY-TWO", units=2)
    for _ in range(2):
        reply = await read(ann, order_id)
        assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
        shown = reply.json()["data"]
        assert shown["orderId"] == str(order_id)
        assert [key["key"] for key in shown["keys"]] == ["KEY-ONE", "KEY-TWO"]
        assert set(shown["keys"][0]) == {"gameId", "title", "key", "deliveredAt"}


async def test_more_keys_than_units_are_not_given_away(shop: Shop) -> None:
    ann = await shop.shopper()
    order_id = await ordered(shop, ann)
    await delivered(shop, order_id, "KEY-ONE", "KEY-TWO")
    assert [key["key"] for key in (await read(ann, order_id)).json()["data"]["keys"]] == ["KEY-ONE"]


async def test_somebody_else_hears_the_same_as_of_an_order_that_there_is_not(shop: Shop) -> None:
    ann, ben, root = await shop.shopper(), await shop.shopper(), await shop.shopper(role="ADMIN")
    order_id = await ordered(shop, ann)
    await delivered(shop, order_id, KEY)
    for who in (ben, root):
        assert code(await read(who, order_id), 404) == "ORDER_NOT_FOUND"
    for absent in (UUID(int=7), "42", "a" * 300):
        assert code(await read(ann, absent), 404) == "ORDER_NOT_FOUND"
    assert code(await ann._replace(token="guess").send("GET", f"/api/orders/{order_id}/keys"), 401) == "INVALID_TOKEN"


async def test_while_the_keys_are_not_there_it_is_a_conflict_that_passes(shop: Shop) -> None:
    ann = await shop.shopper()
    order_id = await ordered(shop, ann)
    reply = await read(ann, order_id)
    assert code(reply, 409) == "ORDER_NOT_COMPLETED"
    assert reply.json()["error"]["details"] == {"retryable": True, "suggestedAction": "retry_later"}


@pytest.mark.parametrize("status", ["CANCELLED", "FAILED", "REFUNDED"])
async def test_an_order_that_has_ended_without_keys_says_so(shop: Shop, status: str) -> None:
    ann = await shop.shopper()
    order_id = await ordered(shop, ann)
    await shop.desk.pool.execute(BECOMES, order_id, status)
    reply = await read(ann, order_id)
    assert code(reply, 409) == "ORDER_HAS_NO_KEYS"
    assert reply.json()["error"]["details"]["retryable"] is False


async def test_keys_that_are_read_late_are_opened_by_who_has_the_place_only(shop: Shop) -> None:
    ann = await shop.shopper()
    order_id = await ordered(shop, ann)
    await delivered(shop, order_id, KEY)
    pending = await read(ann, order_id, Prefer="respond-async")
    assert pending.status == 202
    place = pending.headers["location"]
    replies: list[Response] = []

    async def is_there() -> bool:
        replies.append(await ann.send("GET", place))
        return replies[-1].status != 202

    await until(is_there)
    assert (replies[-1].status, replies[-1].headers["cache-control"]) == (200, "no-store")
    assert replies[-1].json()["data"]["keys"][0]["key"] == KEY
    bare = place.rpartition(".")[0]
    assert KEY not in (await ann.send("GET", bare)).body.decode()


async def test_no_key_is_in_redis_and_none_in_the_replies_that_postgres_keeps(shop: Shop) -> None:
    ann = await shop.shopper()
    order_id = await ordered(shop, ann)
    await delivered(shop, order_id, "SECRET-OF-REDIS")
    assert (await read(ann, order_id)).status == 200
    redis: Any = shop.desk.redis
    names = [name async for name in redis.scan_iter(count=10_000)]
    dumps = [await redis.dump(name) for name in names]
    assert not [name for name, dump in zip(names, dumps, strict=True) if dump and b"SECRET-OF-REDIS" in dump]
    kept = await shop.desk.pool.fetch("SELECT reply FROM handled_commands WHERE reply IS NOT NULL")
    assert not [row for row in kept if b"SECRET-OF-REDIS" in row["reply"]]
    assert await redis.xlen(lua.dead_commands_key("g2a")) == 0


async def test_a_key_that_no_seed_here_opens_is_told_as_our_fault(shop: Shop) -> None:
    ann = await shop.shopper()
    order_id = await ordered(shop, ann)
    await delivered(shop, order_id, KEY, vault=Vault(["ab" * 32]))
    reply = await read(ann, order_id)
    assert code(reply, 503) == "VAULT_CLOSED"
    assert msgspec.json.decode(reply.body)["error"]["details"]["retryable"] is True
