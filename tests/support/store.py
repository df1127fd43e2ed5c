"""A store for tests: games of their own, carts as they stand in Postgres. Tests share the tables, so ids are fresh."""

import secrets
from decimal import Decimal
from typing import Any

from workers.service import Desk

INSERT_GAME = (
    "INSERT INTO games (id, title, genre, platform, price, old_price, stock, active, sold, released_on) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)


def new_id(kind: str = "game") -> str:
    """An id that no other test has."""
    return f"{kind}-{secrets.token_hex(8)}"


def new_session() -> str:
    """A guest session as the gateway makes them."""
    return secrets.token_hex(16)


async def add_game(desk: Desk, game_id: str = "", **more: Any) -> str:
    """Put a game on sale; gives its id."""
    game_id = game_id or new_id()
    game = {
        "title": f"Title of {game_id}",
        "genre": "",
        "platform": "",
        "price": Decimal("19.99"),
        "old_price": None,
        "stock": 1000,
        "active": True,
        "sold": 0,
        "released_on": None,
    } | more
    await desk.pool.execute(INSERT_GAME, game_id, *game.values())
    return game_id


async def cart_of(desk: Desk, kind: str, owner: str) -> dict[str, int]:
    """The quantities of a cart, as they stand in Postgres."""
    rows = await desk.pool.fetch(
        "SELECT game_id, quantity FROM carts WHERE owner_kind = $1 AND owner_id = $2", kind, owner
    )
    return {row["game_id"]: row["quantity"] for row in rows}


async def wishlist_of(desk: Desk, kind: str, owner: str) -> set[str]:
    """The games of a wishlist, as they stand in Postgres."""
    rows = await desk.pool.fetch("SELECT game_id FROM wishlists WHERE owner_kind = $1 AND owner_id = $2", kind, owner)
    return {row["game_id"] for row in rows}


async def fill_cart(desk: Desk, kind: str, owner: str, lines: dict[str, int]) -> None:
    """Put games into a cart, whatever there is of them; they were added in this order."""
    for game_id, quantity in lines.items():
        await desk.pool.execute(
            "INSERT INTO carts (owner_kind, owner_id, game_id, quantity, added_at) "
            "VALUES ($1, $2, $3, $4, clock_timestamp())",
            kind,
            owner,
            game_id,
            quantity,
        )


async def fill_wishlist(desk: Desk, kind: str, owner: str, games: list[str]) -> None:
    """Put games into a wishlist; they were added in this order."""
    for game_id in games:
        await desk.pool.execute(
            "INSERT INTO wishlists (owner_kind, owner_id, game_id, added_at) VALUES ($1, $2, $3, clock_timestamp())",
            kind,
            owner,
            game_id,
        )
