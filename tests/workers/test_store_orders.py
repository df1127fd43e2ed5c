"""Store orders: what is paid, what is refused and leaves no trace, what is repeated, what is given back."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from contract.bus import BusReply
from contract.settings import Settings
from tests.support.buyers import add_buyer, balance_of, commands_of, outbox_of, stock_of
from tests.support.desk import handled, open_desk
from tests.support.store import add_game, cart_of, new_id
from workers.service import Desk
from workers.store_orders import STORE


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    async with open_desk(settings, STORE) as opened:
        yield opened


async def order(desk: Desk, user_id: str, items: dict[str, int], key: str = "", **more: Any) -> BusReply:
    told = [{"gameId": game_id, "quantity": quantity} for game_id, quantity in items.items()]
    body = {"items": told, "idempotency_key": key or new_id("key"), **more}
    return await handled(desk, STORE, "place_order", body, user_id=user_id)


async def promo(desk: Desk, **more: Any) -> str:
    code = new_id("code")[:32]
    reply = await handled(desk, STORE, "put_promo_code", {"code": code, "promo": more}, role="ADMIN")
    assert reply.status == 200
    return code


def data(reply: BusReply) -> dict[str, Any]:
    assert reply.problem is None, reply.problem
    return msgspec.json.decode(reply.data)


def problem(reply: BusReply) -> tuple[int, str]:
    assert reply.problem is not None
    return reply.status, reply.problem.code


async def test_an_order_is_paid_and_takes_stock_and_its_keys_are_asked_for(desk: Desk) -> None:
    buyer = await add_buyer(desk, "100.00")
    dear, cheap = await add_game(desk, price=Decimal("19.99"), stock=5), await add_game(desk, price=Decimal("0.10"))
    reply = await order(desk, buyer, {dear: 2, cheap: 3})
    made = data(reply)
    assert reply.status == 201
    assert (made["status"], made["subtotal"], made["discount"], made["total"]) == ("PROCESSING", 40.28, 0, 40.28)
    prices = {item["gameId"]: (item["quantity"], item["price"]) for item in made["items"]}
    assert prices == {dear: (2, 19.99), cheap: (3, 0.1)}
    assert await balance_of(desk, buyer) == Decimal("59.72")
    assert await stock_of(desk, dear) == (3, 2)
    (purchase,) = await commands_of(desk, made["id"])
    assert purchase["kind"] == "purchase"
    assert purchase["body"]["items"] == [{"gameId": i["gameId"], "quantity": i["quantity"]} for i in made["items"]]


async def test_money_is_told_with_both_of_its_decimals(desk: Desk) -> None:
    buyer, game = await add_buyer(desk), await add_game(desk, price=Decimal("20.00"))
    reply = await order(desk, buyer, {game: 1})
    assert b'"total":20.00' in bytes(reply.data)


async def test_what_was_bought_leaves_the_cart_and_the_rest_stays(desk: Desk) -> None:
    buyer, bought, kept = await add_buyer(desk), await add_game(desk), await add_game(desk)
    for game in (bought, kept):
        await desk.pool.execute(
            "INSERT INTO carts (owner_kind, owner_id, game_id, quantity) VALUES ('user', $1, $2, 3)", buyer, game
        )
    await order(desk, buyer, {bought: 1})
    assert await cart_of(desk, "user", buyer) == {kept: 3}


@pytest.mark.parametrize(
    ("given", "discount", "total"),
    [({"percent": "12.5"}, 2.5, 17.49), ({"amount": "5.01"}, 5.01, 14.98), ({"amount": "50"}, 19.99, 0)],
)
async def test_a_promo_code_takes_off_its_share_and_never_more_than_there_is(
    desk: Desk, given: dict[str, str], discount: float, total: float
) -> None:
    buyer, game, code = await add_buyer(desk), await add_game(desk), await promo(desk, **given)
    made = data(await order(desk, buyer, {game: 1}, promo_code=code))
    assert (made["subtotal"], made["discount"], made["total"], made["promoCode"]) == (19.99, discount, total, code)
    assert await balance_of(desk, buyer) == Decimal("100.00") - Decimal(str(total))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"validFrom": "2999-01-01T00:00:00Z"}, "PROMO_CODE_EXPIRED"),
        ({"validFrom": "2001-01-01T00:00:00Z", "validUntil": "2002-01-01T00:00:00Z"}, "PROMO_CODE_EXPIRED"),
        ({"usesMax": 0}, "PROMO_CODE_EXHAUSTED"),
        (None, "PROMO_CODE_UNKNOWN"),
    ],
)
async def test_a_promo_code_that_is_no_good_is_refused_and_nothing_is_kept(
    desk: Desk, given: dict[str, Any] | None, code: str
) -> None:
    buyer, game = await add_buyer(desk), await add_game(desk, stock=7)
    own = "nobody-knows-it" if given is None else await promo(desk, percent=10, **given)
    assert problem(await order(desk, buyer, {game: 1}, promo_code=own)) == (400, code)
    assert await balance_of(desk, buyer) == Decimal("100.00")
    assert await stock_of(desk, game) == (7, 0)


async def test_a_promo_code_is_used_as_often_as_it_may_be_and_a_refused_order_uses_it_not(desk: Desk) -> None:
    buyer, game, code = await add_buyer(desk), await add_game(desk), await promo(desk, percent=10, usesMax=1)
    dear = await add_game(desk, price=Decimal(1000))
    assert problem(await order(desk, buyer, {dear: 1}, promo_code=code)) == (400, "INSUFFICIENT_BALANCE")
    first = data(await order(desk, buyer, {game: 1}, promo_code=code))
    assert problem(await order(desk, buyer, {game: 1}, promo_code=code)) == (400, "PROMO_CODE_EXHAUSTED")
    await cancel(desk, buyer, first["id"])
    assert (await order(desk, buyer, {game: 1}, promo_code=code)).status == 201


@pytest.mark.parametrize(
    ("game", "quantity", "refusal"),
    [
        ({"price": Decimal("100.01")}, 1, (400, "INSUFFICIENT_BALANCE")),
        ({"stock": 0}, 1, (404, "OUT_OF_STOCK")),
        ({"stock": 1}, 2, (404, "OUT_OF_STOCK")),
        ({"active": False}, 1, (404, "GAME_NOT_FOUND")),
        ({}, 100, (400, "BAD_REQUEST")),
        ({}, 0, (400, "BAD_REQUEST")),
    ],
)
async def test_a_refused_order_leaves_no_trace_and_its_key_may_be_used_again(
    desk: Desk, game: dict[str, Any], quantity: int, refusal: tuple[int, str]
) -> None:
    buyer, refused, fine = await add_buyer(desk), await add_game(desk, **game), await add_game(desk)
    await desk.pool.execute(
        "INSERT INTO carts (owner_kind, owner_id, game_id, quantity) VALUES ('user', $1, $2, 1)", buyer, fine
    )
    before = await stock_of(desk, refused)
    key = new_id("key")
    assert problem(await order(desk, buyer, {fine: 1, refused: quantity}, key)) == refusal
    assert (await stock_of(desk, refused), await stock_of(desk, fine)) == (before, (1000, 0))
    assert await balance_of(desk, buyer) == Decimal("100.00")
    assert await cart_of(desk, "user", buyer) == {fine: 1}
    assert (await order(desk, buyer, {fine: 1}, key)).status == 201


async def test_a_game_that_never_was_is_refused_by_name(desk: Desk) -> None:
    reply = await order(desk, await add_buyer(desk), {"no-such-game": 1})
    assert problem(reply) == (404, "GAME_NOT_FOUND")
    assert reply.problem is not None
    assert "no-such-game" in reply.problem.message


async def test_somebody_without_an_account_cannot_order(desk: Desk) -> None:
    assert problem(await order(desk, new_id("user"), {await add_game(desk): 1})) == (401, "UNAUTHORIZED")


async def test_a_repeated_key_gives_the_order_that_it_made_and_charges_nothing(desk: Desk) -> None:
    buyer, one, other = await add_buyer(desk), await add_game(desk), await add_game(desk)
    key = new_id("key")
    first = await order(desk, buyer, {one: 1, other: 2}, key)
    again = await order(desk, buyer, {other: 2, one: 1}, key)
    assert (first.status, again.status) == (201, 200)
    assert data(again) == data(first)
    assert await balance_of(desk, buyer) == Decimal("40.03")


@pytest.mark.parametrize("change", ["quantity", "game", "promo"])
async def test_a_key_with_another_order_is_refused(desk: Desk, change: str) -> None:
    buyer, game, other, code = (
        await add_buyer(desk),
        await add_game(desk),
        await add_game(desk),
        await promo(desk, percent=1),
    )
    key = new_id("key")
    await order(desk, buyer, {game: 1}, key)
    items = {"quantity": {game: 2}, "game": {other: 1}, "promo": {game: 1}}[change]
    more = {"promo_code": code} if change == "promo" else {}
    assert problem(await order(desk, buyer, items, key, **more)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await balance_of(desk, buyer) == Decimal("80.01")


async def test_two_buyers_may_use_the_same_key(desk: Desk) -> None:
    game, key = await add_game(desk), new_id("key")
    replies = [await order(desk, await add_buyer(desk), {game: 1}, key) for _ in range(2)]
    assert [reply.status for reply in replies] == [201, 201]


async def cancel(desk: Desk, buyer: str, order_id: str) -> BusReply:
    return await handled(desk, STORE, "cancel_order", {"order_id": order_id}, user_id=buyer)


async def test_a_cancelled_order_gives_money_stock_and_promo_use_back_once(desk: Desk) -> None:
    buyer, game = await add_buyer(desk), await add_game(desk, stock=2)
    code = await promo(desk, percent=10, usesMax=1)
    made = data(await order(desk, buyer, {game: 2}, promo_code=code))
    assert await stock_of(desk, game) == (0, 2)
    replies = [await cancel(desk, buyer, made["id"]) for _ in range(3)]
    assert [reply.status for reply in replies] == [200] * 3
    assert {data(reply)["status"] for reply in replies} == {"CANCELLED"}
    assert await balance_of(desk, buyer) == Decimal("100.00")
    assert await stock_of(desk, game) == (2, 0)
    assert await desk.pool.fetchval("SELECT used FROM promo_codes WHERE code = $1", code) == 0


async def test_an_order_whose_keys_are_being_bought_cannot_be_cancelled(desk: Desk) -> None:
    buyer, game = await add_buyer(desk), await add_game(desk)
    made = data(await order(desk, buyer, {game: 1}))
    await desk.pool.execute("UPDATE store_orders SET purchase_began_at = now() WHERE id = $1", made["id"])
    assert problem(await cancel(desk, buyer, made["id"])) == (409, "ORDER_NOT_CANCELLABLE")
    await desk.pool.execute("UPDATE store_orders SET status = 'COMPLETED' WHERE id = $1", made["id"])
    assert problem(await cancel(desk, buyer, made["id"])) == (409, "ORDER_NOT_CANCELLABLE")
    assert await balance_of(desk, buyer) == Decimal("80.01")


@pytest.mark.parametrize("kind", ["read_order", "cancel_order"])
async def test_an_order_of_somebody_else_looks_like_none(desk: Desk, kind: str) -> None:
    made = data(await order(desk, await add_buyer(desk), {await add_game(desk): 1}))
    stranger = await add_buyer(desk)
    foreign = await handled(desk, STORE, kind, {"order_id": made["id"]}, user_id=stranger)
    absent = await handled(desk, STORE, kind, {"order_id": "01a1fe17-0628-7007-b3c8-6890d92236bd"}, user_id=stranger)
    garbled = await handled(desk, STORE, kind, {"order_id": "no id"}, user_id=stranger)
    assert problem(foreign) == problem(absent) == problem(garbled) == (404, "ORDER_NOT_FOUND")
    assert foreign.problem == absent.problem == garbled.problem


async def test_orders_are_listed_newest_first_in_pages_and_only_to_their_buyer(desk: Desk) -> None:
    buyer, game = await add_buyer(desk), await add_game(desk, price=Decimal("1.00"))
    await order(desk, await add_buyer(desk), {game: 1})
    made = [data(await order(desk, buyer, {game: 1}))["id"] for _ in range(5)]
    seen: list[str] = []
    for page in (1, 2, 3):
        listed = data(await handled(desk, STORE, "read_orders", {"page": page, "limit": 2}, user_id=buyer))
        seen += [item["id"] for item in listed["results"]]
        assert listed["pagination"] == {"page": page, "limit": 2, "total": 5, "pages": 3}
    assert seen == made[::-1]
    one = data(await handled(desk, STORE, "read_order", {"order_id": made[0]}, user_id=buyer))
    assert one == listed["results"][-1]


async def test_a_fault_halfway_rolls_all_of_it_back_and_is_a_500(desk: Desk) -> None:
    buyer, game = await add_buyer(desk), await add_game(desk)
    # A purchase that the outbox cannot take: the last step fails, after the money was taken.
    await desk.pool.execute(
        "CREATE FUNCTION refuse_it() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a bug of ours'; END $$; "
        "CREATE TRIGGER refuse_it BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION refuse_it()"
    )
    try:
        reply = await order(desk, buyer, {game: 1}, "the-key")
    finally:
        await desk.pool.execute("DROP TRIGGER refuse_it ON outbox; DROP FUNCTION refuse_it")
    assert problem(reply) == (500, "INTERNAL")
    assert await balance_of(desk, buyer) == Decimal("100.00")
    assert await stock_of(desk, game) == (1000, 0)
    made = data(await order(desk, buyer, {game: 1}, "the-key"))
    assert await outbox_of(desk, made["id"]) == ["purchase"]


async def test_only_an_administrator_writes_promo_codes(desk: Desk) -> None:
    body = {"code": new_id("code")[:32], "promo": {"percent": 10}}
    assert problem(await handled(desk, STORE, "put_promo_code", body, role="USER")) == (403, "FORBIDDEN")
    assert (await handled(desk, STORE, "put_promo_code", body, role="ADMIN")).status == 200


async def test_a_promo_code_written_anew_keeps_its_uses_and_cannot_end_before_them(desk: Desk) -> None:
    buyer, game, code = await add_buyer(desk), await add_game(desk), await promo(desk, percent=10)
    await order(desk, buyer, {game: 1}, promo_code=code)
    put = {"code": code, "promo": {"amount": 1, "usesMax": 1}}
    written = data(await handled(desk, STORE, "put_promo_code", put, role="ADMIN"))
    assert (written["used"], written["percent"], written["amount"]) == (1, None, 1)
    put["promo"] = {"amount": 1, "usesMax": 0}
    assert problem(await handled(desk, STORE, "put_promo_code", put, role="ADMIN")) == (409, "PROMO_CODE_USED")
