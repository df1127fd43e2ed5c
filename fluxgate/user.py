"""`fluxgate user`: accounts, their money, and the keys of the auth worker, for whoever runs the shop."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation

import asyncpg
import typer

from contract.auth_keys import derive_keys, public_keys
from contract.bus import new_command_id
from contract.seeds import new_seed
from contract.settings import Settings
from fluxgate.refusal import Refusal
from sql import Connection, load_queries, open_pool
from workers.accounts import check_email, check_password, nickname_of
from workers.passwords import hash_password
from workers.service import Refuse

DEPOSIT_MAX = Decimal("1000000.00")
"""More than anybody pays in at once, and less than a balance can hold."""


async def create_command(settings: Settings, email: str, password: str, admin: bool) -> None:
    """Make an account and print its id. Raises Refusal for what no account may have, and for an address in use."""
    try:
        email = check_email(email)
        hashed = hash_password(check_password(password, email))
    except Refuse as refused:
        raise Refusal(str(refused)) from None
    role = "ADMIN" if admin else "USER"
    row = (new_command_id(), email, hashed, nickname_of(None, email), None, None, role)
    async with _transaction(settings) as connection:
        user = await connection.fetchrow(load_queries("auth")["add_user"], *row)
    if user is None:
        raise Refusal(f"There is an account with the address {email}; nothing was changed.")
    typer.echo(f"{email} is {user['id']}, {role}.")


async def credit_command(settings: Settings, email: str, amount: str) -> None:
    """Add a deposit to somebody's balance, and print the new one. Raises Refusal when that cannot be."""
    deposit = _deposit(amount)
    queries = load_queries("auth")
    try:
        async with _transaction(settings) as connection:
            user = await connection.fetchrow(queries["add_to_balance"], email.strip().lower(), deposit)
            if user is None:
                raise Refusal(f"Nobody has the address {email}.")
            await connection.execute(queries["note_deposit"], user["id"], deposit)
    except asyncpg.NumericValueOutOfRangeError:
        raise Refusal(f"The balance of {email} cannot grow by {deposit}: it would be too large to be kept.") from None
    typer.echo(f"{email} has {user['balance']}.")


def keys_command(settings: Settings, in_force: bool) -> None:
    """Print a new seed with its public half as settings; or the public half in force. Raises SettingsError."""
    if in_force:
        typer.echo(f"FLUXGATE_AUTH_PUBLIC={public_keys(settings).text}")
        return
    seed = new_seed()
    typer.echo(f"FLUXGATE_AUTH_SEED={seed}")
    typer.echo(f"FLUXGATE_AUTH_PUBLIC={derive_keys(seed).public.text}")


def _deposit(amount: str) -> Decimal:
    try:
        deposit = Decimal(amount)
    except InvalidOperation:
        deposit = Decimal("NaN")
    if not (deposit.is_finite() and 0 < deposit <= DEPOSIT_MAX and deposit == round(deposit, 2)):
        raise Refusal(f"{amount} is no amount: it must be like 25 or 9.99, above 0 and at most {DEPOSIT_MAX}.")
    return round(deposit, 2)


@asynccontextmanager
async def _transaction(settings: Settings) -> AsyncGenerator[Connection]:
    pool = await open_pool(settings.postgres_at, name="user", connections=1)
    try:
        async with pool.acquire() as connection, connection.transaction():
            yield connection
    except asyncpg.UndefinedTableError:
        raise Refusal("Postgres has no tables of ours yet: make them with `fluxgate schema`.") from None
    finally:
        await pool.close()
