"""Moves what a guest has gathered to the user that he logs in as.

Consumes  migrate, migrate_cart and migrate_wishlist; and what `workers/carts.py` handles
Calls     nothing
Writes    carts, wishlists
Emits     a reply to each: what was moved, merged, capped, skipped, and what can no longer be had and why
Fails     migrate_cart and migrate_wishlist are refused with 404 when the session has nothing, with 400 when nothing of
          it can be had; then it keeps what it has. migrate never fails for either.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from contract.bus import BusCommand
from contract.games import QUANTITY_MAX
from sql import Connection
from workers import carts
from workers.carts import (
    CART_FULL,
    CART_GAMES_MAX,
    GAME_NOT_FOUND,
    OUT_OF_STOCK,
    SESSION,
    USER,
    WISHLIST_FULL,
    WISHLIST_GAMES_MAX,
    Owner,
    lock_owner,
)
from workers.once import once
from workers.service import Desk, Ending, Handler, Refuse, Replied, Service, replied

GUEST_DAYS = 30
"""How long a guest's rows are kept that nobody changes; the cookie of his session lasts no longer."""
DAY_S = 86_400.0
TOLD_MAX = 5
"""Games that a refusal names."""


class Game(NamedTuple):
    """What there is to be had of a game."""

    title: str
    stock: int
    active: bool


class Merge(NamedTuple):
    """What becomes of two carts: the user's new quantities, and what is told about each of the guest's games."""

    quantities: dict[str, int]
    moved: list[dict[str, Any]]
    merged: list[dict[str, Any]]
    capped: list[dict[str, Any]]
    unavailable: list[dict[str, Any]]

    def report(self) -> dict[str, Any]:
        """What is told about the guest's games."""
        return {
            "moved": self.moved,
            "merged": self.merged,
            "capped": self.capped,
            "unavailable": self.unavailable,
        }


class Wishes(NamedTuple):
    """What becomes of two wishlists: the user's new games, and what is told about each of the guest's."""

    moved: list[str]
    skipped: list[str]
    unavailable: list[dict[str, Any]]


def merge_carts(guest: dict[str, int], user: dict[str, int], games: dict[str, Game]) -> Merge:
    """Add a guest's cart to a user's, in its order.

    The sum of a game stops at its stock and at QUANTITY_MAX; what is left out by that is told in `capped`. What the
    user has already is never lowered. Of each game of the guest, added + left out is what he had, or it is unavailable.
    """
    done = Merge({}, [], [], [], [])
    room = CART_GAMES_MAX - len(user)
    for game_id, quantity in guest.items():
        game, had = games.get(game_id), user.get(game_id, 0)
        reason = _missing(game) or (CART_FULL if not had and room <= 0 else "")
        if game is None or reason:
            done.unavailable.append({**_unavailable(game_id, game, reason), "quantity": quantity})
            continue
        total = max(had, min(had + quantity, QUANTITY_MAX, game.stock))
        told = {"gameId": game_id, "title": game.title, "added": total - had, "quantity": total}
        (done.merged if had else done.moved).append(told)
        if total != had:
            done.quantities[game_id] = total
        if left_out := had + quantity - total:
            done.capped.append({**told, "leftOut": left_out})
        room -= not had
    return done


def merge_wishlists(guest: list[str], user: set[str], games: dict[str, Game]) -> Wishes:
    """Add a guest's wishlist to a user's, in its order. One may wish for what is sold out."""
    done = Wishes([], [], [])
    room = WISHLIST_GAMES_MAX - len(user)
    for game_id in guest:
        game = games.get(game_id)
        if game_id in user:
            done.skipped.append(game_id)
        elif game is None or not game.active:
            done.unavailable.append(_unavailable(game_id, game, GAME_NOT_FOUND))
        elif len(done.moved) >= room:
            done.unavailable.append(_unavailable(game_id, game, WISHLIST_FULL))
        else:
            done.moved.append(game_id)
    return done


async def migrate(desk: Desk, command: BusCommand) -> Ending:
    """Move cart and wishlist, as a login does: what cannot be had is told, and nothing to move is no fault."""

    async def move_both(move: _Move) -> Replied:
        report = {"cart": (await _move_cart(move)).report(), "wishlist": (await _move_wishlist(move))._asdict()}
        return replied(report, stale=move.stale("cart", "wishlist"))

    return await _migrate(desk, command, move_both)


async def migrate_cart(desk: Desk, command: BusCommand) -> Ending:
    """Move the cart alone."""

    async def move_it(move: _Move) -> Replied:
        done = await _move_cart(move)
        _check_any("cart", bool(done.moved or done.merged), done.unavailable)
        return replied({"cart": done.report()}, stale=move.stale("cart"))

    return await _migrate(desk, command, move_it)


async def migrate_wishlist(desk: Desk, command: BusCommand) -> Ending:
    """Move the wishlist alone."""

    async def move_it(move: _Move) -> Replied:
        done = await _move_wishlist(move)
        _check_any("wishlist", bool(done.moved or done.skipped), done.unavailable)
        return replied({"wishlist": done._asdict()}, stale=move.stale("wishlist"))

    return await _migrate(desk, command, move_it)


class _Move(NamedTuple):
    """A migration that has begun: both owners are locked until the transaction ends."""

    desk: Desk
    connection: Connection
    guest: Owner
    user: Owner

    def stale(self, *families: str) -> tuple[str, ...]:
        return tuple(owner.stale(family) for family in families for owner in (self.guest, self.user))


async def _migrate(desk: Desk, command: BusCommand, work: Callable[[_Move], Awaitable[Replied]]) -> Ending:
    """Move something, once, while nobody else changes what either of the two has."""
    if not command.user_id:
        raise Refuse(401, "UNAUTHORIZED", "Only somebody who has logged in can take over the cart of a guest.")
    guest, user = Owner(SESSION, command.session_id), Owner(USER, command.user_id)

    async def locked(connection: Connection) -> Replied:
        for owner in (guest, user):
            await lock_owner(desk, connection, owner)
        return await work(_Move(desk, connection, guest, user))

    return await once(desk, command, locked)


async def _move_cart(move: _Move) -> Merge:
    desk, connection, guest, user = move
    theirs, his = await _lines(move, guest), await _lines(move, user)
    done = merge_carts(theirs, his, await _games(move, "lock_games", theirs))
    ids = sorted(done.quantities)
    if ids:
        quantities = [done.quantities[game_id] for game_id in ids]
        await connection.execute(desk.queries["put_in_cart"], *user, ids, quantities)
    await connection.execute(desk.queries["clear_cart"], *guest)
    return done


async def _move_wishlist(move: _Move) -> Wishes:
    desk, connection, guest, user = move
    theirs, his = await _wishes(move, guest), await _wishes(move, user)
    done = merge_wishlists(theirs, set(his), await _games(move, "find_games", theirs))
    if done.moved:
        await connection.execute(desk.queries["put_in_wishlist"], *user, done.moved)
    await connection.execute(desk.queries["clear_wishlist"], *guest)
    return done


async def _lines(move: _Move, owner: Owner) -> dict[str, int]:
    rows = await move.connection.fetch(move.desk.queries["list_cart"], *owner)
    return {row["game_id"]: row["quantity"] for row in rows}


async def _wishes(move: _Move, owner: Owner) -> list[str]:
    return [row["game_id"] for row in await move.connection.fetch(move.desk.queries["list_wishlist"], *owner)]


async def _games(move: _Move, query: str, game_ids: Iterable[str]) -> dict[str, Game]:
    rows = await move.connection.fetch(move.desk.queries[query], list(game_ids))
    return {row["id"]: Game(row["title"], row["stock"], row["active"]) for row in rows}


def _missing(game: Game | None) -> str:
    """Why a game cannot be had; empty where it can."""
    if game is None or not game.active:
        return GAME_NOT_FOUND
    return "" if game.stock else OUT_OF_STOCK


def _unavailable(game_id: str, game: Game | None, reason: str) -> dict[str, Any]:
    return {"gameId": game_id, "title": game.title if game else None, "reason": reason}


def _check_any(family: str, any_moved: bool, unavailable: list[dict[str, Any]]) -> None:
    """Raises Refuse, and so leaves the guest what he has, where nothing came of a move."""
    if any_moved:
        return
    if not unavailable:
        raise Refuse(404, "SESSION_EMPTY", f"There is no such guest session, or its {family} is empty.")
    told = ", ".join(f"{game['gameId']} ({game['reason']})" for game in unavailable[:TOLD_MAX])
    others = len(unavailable) - TOLD_MAX
    more = f" and {others} more" if others > 0 else ""
    raise Refuse(400, "GAME_UNAVAILABLE", f"Nothing of the guest's {family} can be had: {told}{more}.")


HANDLERS: dict[str, Handler] = {
    **carts.HANDLERS,
    "migrate": migrate,
    "migrate_cart": migrate_cart,
    "migrate_wishlist": migrate_wishlist,
}
MIGRATION = Service("migration", HANDLERS)
