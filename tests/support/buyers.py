"""Buyers for tests: people with money, what they have, and what the books say that they have."""

import secrets
from decimal import Decimal
from typing import Any

import msgspec

from contract.bus import new_command_id
from workers.service import Desk

INSERT_USER = "INSERT INTO users (id, email, password_hash, nickname, balance) VALUES ($1, $2, 'none', 'Buyer', $3)"
INSERT_DEPOSIT = "INSERT INTO ledger (user_id, amount, kind) VALUES ($1, $2, 'deposit')"


async def add_buyer(desk: Desk, balance: str = "100.00") -> str:
    """Somebody who has paid so much in; gives the id."""
    user_id = new_command_id()
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute(INSERT_USER, user_id, f"{secrets.token_hex(8)}@example.com", Decimal(balance))
        await connection.execute(INSERT_DEPOSIT, user_id, Decimal(balance))
    return user_id


async def balance_of(desk: Desk, user_id: str) -> Decimal:
    """What a user has; fails where the ledger says otherwise."""
    row = await desk.pool.fetchrow(
        "SELECT balance, (SELECT sum(amount) FROM ledger WHERE user_id = users.id) AS booked FROM users WHERE id = $1",
        user_id,
    )
    assert row["balance"] == row["booked"], "the ledger does not add up to the balance"
    return row["balance"]


async def stock_of(desk: Desk, game_id: str) -> tuple[int, int]:
    """Units of a game that are in stock, and that are sold."""
    row = await desk.pool.fetchrow("SELECT stock, sold FROM games WHERE id = $1", game_id)
    return row["stock"], row["sold"]


async def outbox_of(desk: Desk, order_id: str) -> list[str]:
    """The kinds of commands that wait in the outbox for an order, in alphabetical order."""
    return sorted([command["kind"] for command in await commands_of(desk, order_id)])


async def commands_of(desk: Desk, order_id: str) -> list[dict[str, Any]]:
    """The commands that wait in the outbox for an order, as documents."""
    rows = await desk.pool.fetch(
        "SELECT convert_from(command, 'UTF8')::jsonb::text AS text FROM outbox "
        "WHERE convert_from(command, 'UTF8')::jsonb -> 'body' ->> 'orderId' = $1",
        order_id,
    )
    return [msgspec.json.decode(row["text"]) for row in rows]
