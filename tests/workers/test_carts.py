"""Carts and wishlists: what is in them, what they cost now, and what nobody can put into them."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from contract.bus import BusReply
from contract.settings import Settings
from tests.support.buyers import add_buyer
from tests.support.desk import command, handled, open_desk, serving
from tests.support.store import add_game, cart_of, fill_cart, fill_wishlist, new_id, new_session, wishlist_of
from workers.carts import CART_GAMES_MAX, WISHLIST_GAMES_MAX
from workers.migration import DAY_S, GUEST_DAYS, MIGRATION
from workers.service import Desk

AT_ONCE = 30


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    async with open_desk(settings, MIGRATION) as opened:
        yield opened


@pytest.fixture(params=["user", "session"])
async def owner(desk: Desk, request: pytest.FixtureRequest) -> dict[str, str]:
    """Whoever has a cart: a user, or a guest."""
    return {"user_id": await add_buyer(desk)} if request.param == "user" else {"session_id": new_session()}


def place(owner: dict[str, str]) -> tuple[str, str]:
    """Kind and id of an owner."""
    name, value = next(iter(owner.items()))
    return name.removesuffix("_id"), value


async def do(desk: Desk, kind: str, owner: dict[str, str], game: str = "", quantity: int | None = None) -> BusReply:
    """Have a command about a game handled."""
    body: dict[str, Any] = {"game_id": game} if game else {}
    return await handled(desk, MIGRATION, kind, body if quantity is None else body | {"quantity": quantity}, **owner)


def data(reply: BusReply) -> Any:
    assert reply.problem is None, reply.problem
    return msgspec.json.decode(reply.data)


def refused(reply: BusReply) -> tuple[int, str]:
    assert reply.problem is not None
    return reply.status, reply.problem.code


async def test_what_is_added_is_there_and_adds_up(desk: Desk, owner: dict[str, str]) -> None:
    game, other = await add_game(desk, price=Decimal("0.10")), await add_game(desk, price=Decimal("59.99"))
    await do(desk, "add_to_cart", owner, game)
    await do(desk, "add_to_cart", owner, game, 2)
    reply = await do(desk, "add_to_cart", owner, other)
    cart = data(reply)
    assert [(line["gameId"], line["quantity"], line["subtotal"]) for line in cart["items"]] == [
        (game, 3, 0.3),
        (other, 1, 59.99),
    ]
    assert (cart["units"], cart["total"]) == (4, 60.29)
    assert b'"subtotal":0.30' in bytes(reply.data)
    assert data(await do(desk, "read_cart", owner)) == cart


async def test_users_and_guests_of_one_id_are_two_owners(desk: Desk) -> None:
    user, game = await add_buyer(desk), await add_game(desk)
    await do(desk, "add_to_cart", {"session_id": user}, game)
    assert data(await do(desk, "read_cart", {"user_id": user}))["items"] == []


async def test_a_user_has_a_cart_of_his_own_whatever_guest_session_comes_along(desk: Desk) -> None:
    user, session, game = await add_buyer(desk), new_session(), await add_game(desk)
    await do(desk, "add_to_cart", {"user_id": user, "session_id": session}, game)
    assert (await cart_of(desk, "user", user), await cart_of(desk, "session", session)) == ({game: 1}, {})


async def test_prices_and_stock_are_those_of_now_and_what_cannot_be_had_is_marked(
    desk: Desk, owner: dict[str, str]
) -> None:
    games = [await add_game(desk, price=Decimal("10"), stock=5) for _ in range(4)]
    for game in games:
        await do(desk, "add_to_cart", owner, game, 2)
    await desk.pool.execute("UPDATE games SET price = 12.5 WHERE id = $1", games[0])
    await desk.pool.execute("UPDATE games SET stock = 1 WHERE id = $1", games[1])
    await desk.pool.execute("UPDATE games SET active = false WHERE id = $1", games[2])
    await desk.pool.execute("DELETE FROM games WHERE id = $1", games[3])
    cart = data(await do(desk, "read_cart", owner))
    assert [(line["available"], line["reason"], line["stock"], line["subtotal"]) for line in cart["items"]] == [
        (True, None, 5, 25.0),
        (False, "OUT_OF_STOCK", 1, 20.0),
        (False, "GAME_NOT_FOUND", 0, None),
        (False, "GAME_NOT_FOUND", 0, None),
    ]
    assert (cart["units"], cart["total"]) == (2, 25.0)


@pytest.mark.parametrize(
    ("stock", "quantities", "problem"),
    [
        (5, [6], (409, "OUT_OF_STOCK")),
        (5, [3, 3], (409, "OUT_OF_STOCK")),
        (0, [1], (409, "OUT_OF_STOCK")),
        (1000, [99, 1], (409, "QUANTITY_TOO_LARGE")),
        (1000, [100], (400, "BAD_REQUEST")),
        (1000, [0], (400, "BAD_REQUEST")),
        (1000, [-1], (400, "BAD_REQUEST")),
    ],
)
async def test_more_than_there_is_or_than_anybody_may_have_is_refused_and_changes_nothing(
    desk: Desk, owner: dict[str, str], stock: int, quantities: list[int], problem: tuple[int, str]
) -> None:
    game = await add_game(desk, stock=stock)
    *fine, last = quantities
    for quantity in fine:
        data(await do(desk, "add_to_cart", owner, game, quantity))
    assert refused(await do(desk, "add_to_cart", owner, game, last)) == problem
    assert await cart_of(desk, *place(owner)) == ({game: sum(fine)} if fine else {})


async def test_a_refusal_says_how_many_there_are(desk: Desk, owner: dict[str, str]) -> None:
    reply = await do(desk, "add_to_cart", owner, await add_game(desk, stock=5), 6)
    assert reply.problem is not None
    assert reply.problem.message == "Of this game 5 can be had; with this there would be 6 in the cart."


@pytest.mark.parametrize("kind", ["add_to_cart", "add_to_wishlist"])
@pytest.mark.parametrize("vanished", [True, False], ids=["inactive", "unknown"])
async def test_what_is_not_for_sale_cannot_be_added(
    desk: Desk, owner: dict[str, str], kind: str, vanished: bool
) -> None:
    game = await add_game(desk, active=False) if vanished else new_id()
    assert refused(await do(desk, kind, owner, game)) == (404, "GAME_NOT_FOUND")


async def test_a_quantity_is_set_for_what_is_in_the_cart_only(desk: Desk, owner: dict[str, str]) -> None:
    game, other = await add_game(desk, stock=10), await add_game(desk)
    await do(desk, "add_to_cart", owner, game, 5)
    assert data(await do(desk, "set_in_cart", owner, game, 2))["units"] == 2
    assert refused(await do(desk, "set_in_cart", owner, game, 11)) == (409, "OUT_OF_STOCK")
    assert refused(await do(desk, "set_in_cart", owner, other, 1)) == (404, "NOT_IN_CART")
    assert await cart_of(desk, *place(owner)) == {game: 2}


async def test_taking_out_and_emptying_can_be_repeated(desk: Desk, owner: dict[str, str]) -> None:
    games = [await add_game(desk) for _ in range(3)]
    for game in games:
        await do(desk, "add_to_cart", owner, game)
    for _ in range(2):
        assert len(data(await do(desk, "drop_from_cart", owner, games[0]))["items"]) == 2
    for _ in range(2):
        assert data(await do(desk, "clear_cart", owner)) == {"items": [], "units": 0, "total": 0.0}


async def test_a_cart_that_is_full_takes_more_of_its_games_and_no_other(desk: Desk, owner: dict[str, str]) -> None:
    game, other = await add_game(desk), await add_game(desk)
    await fill_cart(desk, *place(owner), {game: 1} | {new_id(): 1 for _ in range(CART_GAMES_MAX - 1)})
    assert refused(await do(desk, "add_to_cart", owner, other)) == (409, "CART_FULL")
    assert (await do(desk, "add_to_cart", owner, game)).status == 200
    assert len(await cart_of(desk, *place(owner))) == CART_GAMES_MAX


async def test_a_wishlist_holds_a_game_once_sold_out_or_not(desk: Desk, owner: dict[str, str]) -> None:
    game = await add_game(desk, stock=0)
    for _ in range(2):
        wishes = data(await do(desk, "add_to_wishlist", owner, game))
    assert [(wish["gameId"], wish["available"], wish["inStock"]) for wish in wishes["items"]] == [(game, True, False)]
    assert data(await do(desk, "read_wishlist", owner)) == wishes
    for _ in range(2):
        assert data(await do(desk, "drop_from_wishlist", owner, game)) == {"items": [], "count": 0}


async def test_a_wishlist_that_is_full_takes_no_other_game(desk: Desk, owner: dict[str, str]) -> None:
    game, other = await add_game(desk), await add_game(desk)
    await fill_wishlist(desk, *place(owner), [game, *(new_id() for _ in range(WISHLIST_GAMES_MAX - 1))])
    assert refused(await do(desk, "add_to_wishlist", owner, other)) == (409, "WISHLIST_FULL")
    assert (await do(desk, "add_to_wishlist", owner, game)).status == 200


@pytest.mark.parametrize("kind", ["cart", "wishlist"])
async def test_each_change_makes_what_is_cached_of_its_owner_stale(
    desk: Desk, owner: dict[str, str], kind: str
) -> None:
    game = await add_game(desk)
    for verb in ("add_to", "drop_from"):
        reply = await do(desk, f"{verb}_{kind}", owner, game)
        stale = await desk.pool.fetchval("SELECT stale FROM handled_commands WHERE command_id = $1", reply.id)
        assert stale == [f"{':'.join(place(owner))}:{kind}"]


@pytest.mark.parametrize("kind", sorted(MIGRATION.handlers))
async def test_nobody_has_no_cart(desk: Desk, kind: str) -> None:
    reply = await do(desk, kind, {}, new_id())
    assert reply.status == (401 if kind.startswith("migrate") else 400)


async def test_a_user_who_is_gone_gets_no_cart(desk: Desk) -> None:
    gone = {"user_id": new_id("user")}
    assert refused(await do(desk, "add_to_cart", gone, await add_game(desk))) == (401, "UNAUTHORIZED")
    assert await cart_of(desk, *place(gone)) == {}


async def test_what_is_added_at_once_is_all_there_and_no_more_than_there_is(desk: Desk, owner: dict[str, str]) -> None:
    game = await add_game(desk, stock=20)
    async with serving(desk, MIGRATION, 2) as ask:
        adding = (ask(command("add_to_cart", {"game_id": game}, **owner)) for _ in range(AT_ONCE))
        statuses = [reply.status for reply in await asyncio.gather(*adding)]
    assert sorted(statuses) == [200] * 20 + [409] * (AT_ONCE - 20)
    assert await cart_of(desk, *place(owner)) == {game: 20}


async def test_a_cart_is_not_overfilled_by_what_is_added_at_once(desk: Desk, owner: dict[str, str]) -> None:
    games = [await add_game(desk) for _ in range(AT_ONCE)]
    await fill_cart(desk, *place(owner), {new_id(): 1 for _ in range(CART_GAMES_MAX - 10)})
    async with serving(desk, MIGRATION, 2) as ask:
        adding = (ask(command("add_to_cart", {"game_id": game}, **owner)) for game in games)
        statuses = [reply.status for reply in await asyncio.gather(*adding)]
    assert statuses.count(200) == 10
    assert len(await cart_of(desk, *place(owner))) == CART_GAMES_MAX


async def test_what_guests_leave_behind_lapses_and_what_users_have_does_not(desk: Desk) -> None:
    user, session, recent, game = await add_buyer(desk), new_session(), new_session(), new_id()
    for kind, owner in (("user", user), ("session", session), ("session", recent)):
        await fill_cart(desk, kind, owner, {game: 1})
        await fill_wishlist(desk, kind, owner, [game])
    for table, moment in (("carts", "changed_at"), ("wishlists", "added_at")):
        aging = f"UPDATE {table} SET {moment} = now() - make_interval(days => $1) WHERE owner_id = ANY($2)"
        await desk.pool.execute(aging, GUEST_DAYS + 1, [user, session])
    assert await desk.pool.fetchval(desk.queries["forget_guests"], GUEST_DAYS * DAY_S, 1_000) >= 2
    assert (await cart_of(desk, "session", session), await wishlist_of(desk, "session", session)) == ({}, set())
    for kind, owner in (("user", user), ("session", recent)):
        assert (await cart_of(desk, kind, owner), await wishlist_of(desk, kind, owner)) == ({game: 1}, {game})
