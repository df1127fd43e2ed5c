"""The tables of people: what no account, no login and no refresh token may be, whoever writes it."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest

LOGIN = UUID("01a1fe17-0628-7007-b3c8-6890d92236bd")
USER: dict[str, Any] = {"id": "ann", "email": "ann@shop.example", "password_hash": "$argon2id$", "nickname": "Ann"}


async def add(connection: Any, table: str, row: dict[str, Any]) -> None:
    """Insert a row."""
    columns, places = ", ".join(row), ", ".join(f"${i + 1}" for i in range(len(row)))
    await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", *row.values())


@pytest.fixture
async def login(connection: Any) -> UUID:
    """A login of a user, with nothing else."""
    await add(connection, "users", USER)
    await connection.execute("INSERT INTO logins VALUES ($1, 'ann', now(), now() + interval '1 h')", LOGIN)
    return LOGIN


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "x" * 129},
        {"email": "Ann@shop.example"},
        {"email": "ab"},
        {"email": "x" * 255},
        {"password_hash": ""},
        {"nickname": ""},
        {"nickname": "x" * 65},
        {"first_name": ""},
        {"last_name": "x" * 65},
        {"avatar": "x" * 513},
        {"role": "ROOT"},
        {"balance": Decimal("-0.01")},
    ],
    ids=str,
)
async def test_a_user_that_cannot_be_is_refused(connection: Any, change: dict[str, Any]) -> None:
    await add(connection, "users", USER | {"id": "bob", "email": "bob@shop.example"})
    with pytest.raises(asyncpg.CheckViolationError):
        await add(connection, "users", USER | change)


async def test_an_address_has_one_account(connection: Any) -> None:
    await add(connection, "users", USER)
    with pytest.raises(asyncpg.UniqueViolationError):
        await add(connection, "users", USER | {"id": "another"})


async def test_a_new_user_has_nothing_and_may_do_nothing_special(connection: Any) -> None:
    await add(connection, "users", USER)
    assert dict(await connection.fetchrow("SELECT role, balance FROM users")) == {"role": "USER", "balance": 0}


async def test_a_balance_never_goes_below_zero(connection: Any) -> None:
    await add(connection, "users", USER | {"balance": Decimal("1.00")})
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("UPDATE users SET balance = balance - 1.01")


async def test_a_login_ends_after_it_began(connection: Any) -> None:
    await add(connection, "users", USER)
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("INSERT INTO logins VALUES ($1, 'ann', now(), now())", LOGIN)


async def test_a_login_has_one_unused_token_and_any_number_of_used_ones(connection: Any, login: UUID) -> None:
    insertion = "INSERT INTO refresh_tokens VALUES ($1, $2, $3::timestamptz, $4)"
    await connection.execute(insertion, bytes(32), login, None, None)
    moment = await connection.fetchval("SELECT now()")
    for number in (1, 2):
        await connection.execute(insertion, bytes([number]) * 32, login, moment, bytes(32))
    with pytest.raises(asyncpg.UniqueViolationError, match="refresh_tokens_one_unused"):
        await connection.execute(insertion, b"x" * 32, login, None, None)


@pytest.mark.parametrize(
    ("digest", "used", "salt"),
    [
        (bytes(31), False, None),
        (bytes(33), False, None),
        (bytes(32), True, None),
        (bytes(32), False, bytes(32)),
        (bytes(32), True, bytes(31)),
    ],
)
async def test_a_refresh_token_that_cannot_be_is_refused(
    connection: Any, login: UUID, digest: bytes, used: bool, salt: bytes | None
) -> None:
    insertion = "INSERT INTO refresh_tokens VALUES ($1, $2, CASE WHEN $3 THEN now() END, $4)"
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(insertion, digest, login, used, salt)


async def test_with_a_user_go_his_logins_and_their_tokens(connection: Any, login: UUID) -> None:
    await connection.execute("INSERT INTO refresh_tokens VALUES ($1, $2)", bytes(32), login)
    await connection.execute("DELETE FROM users")
    for table in ("logins", "refresh_tokens"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
