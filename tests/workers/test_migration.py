"""Migration: what a guest has gathered is the user's after his login; once, whole, and whatever happens meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from contract.settings import Settings
from tests.support.buyers import add_buyer
from tests.support.desk import Ask, command, deliver, handled, open_desk, serving
from tests.support.store import (
    add_game,
    cart_of,
    fill_cart,
    fill_wishlist,
    new_id,
    new_session,
    wishlist_of,
)
from tests.support.waiting import becomes
from workers.migration import MIGRATION, TOLD_MAX
from workers.service import Desk

AT_ONCE = 12
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    async with open_desk(settings, MIGRATION) as opened:
        yield opened


@pytest.fixture
async def user(desk: Desk) -> str:
    return await add_buyer(desk)


@pytest.fixture
def session() -> str:
    return new_session()


async def move(desk: Desk, user: str, session: str, kind: str = "migrate") -> Any:
    """Have a migration done; gives its report."""
    reply = await handled(desk, MIGRATION, kind, user_id=user, session_id=session)
    assert reply.problem is None, reply.problem
    return msgspec.json.decode(reply.data)


async def refused(desk: Desk, user: str, session: str, kind: str) -> tuple[int, str, str]:
    reply = await handled(desk, MIGRATION, kind, user_id=user, session_id=session)
    assert reply.problem is not None
    return reply.status, reply.problem.code, reply.problem.message


async def test_a_login_moves_cart_and_wishlist_and_leaves_the_guest_nothing(
    desk: Desk, user: str, session: str
) -> None:
    new, both, wished = await add_game(desk, title="New"), await add_game(desk, title="Both"), await add_game(desk)
    await fill_cart(desk, "session", session, {new: 2, both: 3})
    await fill_cart(desk, "user", user, {both: 4})
    await fill_wishlist(desk, "session", session, [wished, both])
    await fill_wishlist(desk, "user", user, [both])
    assert await move(desk, user, session) == {
        "cart": {
            "moved": [{"gameId": new, "title": "New", "added": 2, "quantity": 2}],
            "merged": [{"gameId": both, "title": "Both", "added": 3, "quantity": 7}],
            "capped": [],
            "unavailable": [],
        },
        "wishlist": {"moved": [wished], "skipped": [both], "unavailable": []},
    }
    assert await cart_of(desk, "user", user) == {new: 2, both: 7}
    assert await wishlist_of(desk, "user", user) == {wished, both}
    assert (await cart_of(desk, "session", session), await wishlist_of(desk, "session", session)) == ({}, set())


async def test_what_exceeds_the_stock_or_the_limit_is_capped_and_told(desk: Desk, user: str, session: str) -> None:
    scarce, plenty = await add_game(desk, title="Scarce", stock=5), await add_game(desk, title="Plenty")
    await fill_cart(desk, "session", session, {scarce: 4, plenty: 60})
    await fill_cart(desk, "user", user, {scarce: 3, plenty: 60})
    cart = (await move(desk, user, session))["cart"]
    assert cart["capped"] == [
        {"gameId": scarce, "title": "Scarce", "added": 2, "quantity": 5, "leftOut": 2},
        {"gameId": plenty, "title": "Plenty", "added": 39, "quantity": 99, "leftOut": 21},
    ]
    assert await cart_of(desk, "user", user) == {scarce: 5, plenty: 99}


async def test_games_that_are_sold_out_or_have_vanished_are_told_and_not_swallowed(
    desk: Desk, user: str, session: str
) -> None:
    here = await add_game(desk)
    sold_out, inactive, gone = await add_game(desk, stock=0), await add_game(desk, active=False), new_id()
    await fill_cart(desk, "session", session, {sold_out: 1, inactive: 2, gone: 3, here: 1})
    await fill_wishlist(desk, "session", session, [sold_out, inactive, gone])
    report = await move(desk, user, session)
    assert report["cart"]["unavailable"] == [
        {"gameId": sold_out, "title": f"Title of {sold_out}", "reason": "OUT_OF_STOCK", "quantity": 1},
        {"gameId": inactive, "title": f"Title of {inactive}", "reason": "GAME_NOT_FOUND", "quantity": 2},
        {"gameId": gone, "title": None, "reason": "GAME_NOT_FOUND", "quantity": 3},
    ]
    assert report["wishlist"] == {
        "moved": [sold_out],
        "skipped": [],
        "unavailable": [
            {"gameId": inactive, "title": f"Title of {inactive}", "reason": "GAME_NOT_FOUND"},
            {"gameId": gone, "title": None, "reason": "GAME_NOT_FOUND"},
        ],
    }
    assert await cart_of(desk, "user", user) == {here: 1}
    assert await cart_of(desk, "session", session) == {}


@pytest.mark.parametrize("known", [True, False], ids=["nothing in it", "no session"])
async def test_a_login_with_nothing_to_move_is_no_fault(desk: Desk, user: str, session: str, known: bool) -> None:
    assert await move(desk, user, session if known else "") == {
        "cart": {"moved": [], "merged": [], "capped": [], "unavailable": []},
        "wishlist": {"moved": [], "skipped": [], "unavailable": []},
    }


@pytest.mark.parametrize("family", ["cart", "wishlist"])
async def test_moving_from_a_session_that_has_nothing_is_refused(
    desk: Desk, user: str, session: str, family: str
) -> None:
    status, code, message = await refused(desk, user, session, f"migrate_{family}")
    assert (status, code) == (404, "SESSION_EMPTY")
    assert message == f"There is no such guest session, or its {family} is empty."


@pytest.mark.parametrize("family", ["cart", "wishlist"])
async def test_where_nothing_can_be_had_the_guest_keeps_it_and_hears_why(
    desk: Desk, user: str, session: str, family: str
) -> None:
    games = [new_id() for _ in range(TOLD_MAX + 2)]
    await fill_cart(desk, "session", session, dict.fromkeys(games, 1))
    await fill_wishlist(desk, "session", session, games)
    status, code, message = await refused(desk, user, session, f"migrate_{family}")
    assert (status, code) == (400, "GAME_UNAVAILABLE")
    assert message.startswith(f"Nothing of the guest's {family} can be had: {games[0]} (GAME_NOT_FOUND), ")
    assert message.endswith(" and 2 more.")
    assert await cart_of(desk, "session", session) == dict.fromkeys(games, 1)
    assert await wishlist_of(desk, "session", session) == set(games)


async def test_cart_and_wishlist_can_be_moved_one_without_the_other(desk: Desk, user: str, session: str) -> None:
    game = await add_game(desk)
    await fill_cart(desk, "session", session, {game: 1})
    await fill_wishlist(desk, "session", session, [game])
    assert (await move(desk, user, session, "migrate_wishlist"))["wishlist"]["moved"] == [game]
    assert await cart_of(desk, "session", session) == {game: 1}
    assert (await move(desk, user, session, "migrate_cart"))["cart"]["moved"][0]["gameId"] == game
    assert await cart_of(desk, "user", user) == {game: 1}


async def test_a_migration_makes_the_caches_of_both_owners_stale(desk: Desk, user: str, session: str) -> None:
    names = {f"{kind}:{owner}:{family}" for kind, owner in (("user", user), ("session", session))
             for family in ("cart", "wishlist")}  # fmt: skip
    reply = await handled(desk, MIGRATION, "migrate", user_id=user, session_id=session)
    stale = await desk.pool.fetchval("SELECT stale FROM handled_commands WHERE command_id = $1", reply.id)
    assert set(stale) == names


async def test_a_migration_that_is_delivered_again_has_the_same_report_and_moves_nothing(
    desk: Desk, user: str, session: str
) -> None:
    game = await add_game(desk)
    await fill_cart(desk, "session", session, {game: 2})
    own = command("migrate", user_id=user, session_id=session)
    first = await deliver(desk, MIGRATION, own)
    await fill_cart(desk, "session", session, {game: 5})
    again = await deliver(desk, MIGRATION, own)
    assert bytes(first.data) == bytes(again.data)
    assert (await cart_of(desk, "user", user), await cart_of(desk, "session", session)) == ({game: 2}, {game: 5})


async def test_a_migration_that_fails_in_the_middle_is_rolled_back_whole(desk: Desk, user: str, session: str) -> None:
    good, bad = sorted([await add_game(desk), await add_game(desk)])
    await fill_cart(desk, "session", session, {good: 1, bad: 1})
    await fill_wishlist(desk, "session", session, [good])
    trigger = new_id("trap").replace("-", "_")
    trap = (
        f"CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NEW.game_id = '{bad}' AND NEW.owner_kind = 'user' THEN "
        "RAISE EXCEPTION 'trapped' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$; "
        f"CREATE TRIGGER {trigger} BEFORE INSERT ON carts FOR EACH ROW EXECUTE FUNCTION {trigger}()"
    )
    await desk.pool.execute(trap)
    try:
        reply = await handled(desk, MIGRATION, "migrate", user_id=user, session_id=session)
    finally:
        await desk.pool.execute(f"DROP FUNCTION {trigger}() CASCADE")
    assert reply.problem is not None
    assert (reply.status, reply.problem.code) == (500, "INTERNAL")
    assert await cart_of(desk, "user", user) == {}
    assert await cart_of(desk, "session", session) == {good: 1, bad: 1}
    assert await wishlist_of(desk, "session", session) == {good}


async def migrations(ask: Ask, users: list[str], session: str) -> list[Any]:
    """Have one session moved to many at once; gives their reports."""
    asking = (ask(command("migrate", user_id=user, session_id=session)) for user in users)
    replies = await asyncio.gather(*asking)
    assert [reply.status for reply in replies] == [200] * len(users)
    return [msgspec.json.decode(reply.data) for reply in replies]


async def test_many_logins_of_one_user_at_once_move_everything_once(desk: Desk, user: str, session: str) -> None:
    games = {await add_game(desk): 3 for _ in range(5)}
    await fill_cart(desk, "session", session, games)
    await fill_cart(desk, "user", user, dict.fromkeys(games, 1))
    async with serving(desk, MIGRATION, 2) as ask:
        reports = await migrations(ask, [user] * AT_ONCE, session)
    assert sorted(len(report["cart"]["merged"]) for report in reports) == [0] * (AT_ONCE - 1) + [5]
    assert await cart_of(desk, "user", user) == dict.fromkeys(games, 4)


async def test_of_many_users_with_one_session_the_first_gets_all_and_the_others_find_nothing(
    desk: Desk, session: str
) -> None:
    users = [await add_buyer(desk) for _ in range(AT_ONCE)]
    games = {await add_game(desk): 2 for _ in range(5)}
    await fill_cart(desk, "session", session, games)
    await fill_wishlist(desk, "session", session, list(games))
    async with serving(desk, MIGRATION, 2) as ask:
        await migrations(ask, users, session)
    carts = [await cart_of(desk, "user", user) for user in users]
    wishlists = [await wishlist_of(desk, "user", user) for user in users]
    assert sorted(carts, key=len) == [{}] * (AT_ONCE - 1) + [games]
    assert sorted(wishlists, key=len) == [set()] * (AT_ONCE - 1) + [set(games)]


async def test_what_is_added_while_carts_move_is_neither_lost_nor_doubled(desk: Desk) -> None:
    users, sessions = [await add_buyer(desk) for _ in range(3)], [new_session() for _ in range(3)]
    games = [await add_game(desk, stock=15) for _ in range(3)]
    owners = [{"user_id": user} for user in users] + [{"session_id": session} for session in sessions]
    adding = [
        command("add_to_cart", {"game_id": games[n % 3], "quantity": 1 + n % 2}, **owners[n % 6]) for n in range(90)
    ]
    moving = [command("migrate", user_id=users[n % 3], session_id=sessions[n * 7 // 3 % 3]) for n in range(30)]
    mixed = [own for pair in zip(adding[::3], moving, adding[1::3], adding[2::3], strict=True) for own in pair]
    async with serving(desk, MIGRATION, 2) as ask:
        replies = dict(zip((own.id for own in mixed), await asyncio.gather(*map(ask, mixed)), strict=True))
    assert {reply.status for reply in replies.values()} <= {200, 409}
    added = Counter[str]()
    for own in adding:
        if replies[own.id].status == 200:
            wanted = msgspec.json.decode(own.body)
            added[wanted["game_id"]] += wanted["quantity"]
    for own in moving:
        cart = msgspec.json.decode(replies[own.id].data)["cart"]
        for item in cart["capped"]:
            added[item["gameId"]] -= item["leftOut"]
        assert cart["unavailable"] == []
    there = Counter[str]()
    for kind, ids in (("user", users), ("session", sessions)):
        for owner in ids:
            there.update(await cart_of(desk, kind, owner))
    assert there == added
    assert max(there.values()) > 15


async def test_a_migration_that_waits_for_an_order_of_the_user_holds_nothing_that_the_order_wants(
    desk: Desk, user: str, session: str
) -> None:
    games = sorted([await add_game(desk) for _ in range(3)])
    for kind, owner in (("session", session), ("user", user)):
        await fill_cart(desk, kind, owner, dict.fromkeys(reversed(games), 1))
    async with desk.pool.acquire() as order, order.transaction():
        await order.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", user)
        await order.execute("DELETE FROM carts WHERE owner_id = $1 AND game_id = ANY($2)", user, games)
        moving = asyncio.create_task(handled(desk, MIGRATION, "migrate", user_id=user, session_id=session))
        await becomes(lambda: desk.pool.fetchval(WAITING), "the migration waits")
        # Whatever it held of them, this would fail.
        await order.execute("SELECT FROM games WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE NOWAIT", games)
        await order.execute("UPDATE games SET stock = stock - 1 WHERE id = ANY($1)", games)
    assert (await moving).status == 200
    assert await cart_of(desk, "user", user) == dict.fromkeys(games, 1)
