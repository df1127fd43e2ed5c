"""Accounts at Amazon as they stand in Postgres: found, with the token that acts for them, and ended.

A user who never had one of his own has that of the setting, where there is one; whoever has disconnected has none.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from contract.sealing import Unopened
from contract.settings import Settings
from sql import Connection, load_queries, open_connection
from workers.clients.amazon import Account
from workers.service import Desk, Refuse
from workers.vault import Vault, place_of_token

QUERIES = load_queries("amazon_accounts")
OF_SETTING = "environment"
"""What stands for the seller of the account of the setting, of whom nobody has told us."""


async def find_account(desk: Desk, user_id: str, connection: Connection | None = None) -> Account | None:
    """The account that is read for a user; None where none is connected.

    With a connection that is in a transaction it is locked until that ends: it is not disconnected meanwhile. Raises
    Refuse with 503 where no seed here opens its token.
    """
    if connection is None:
        row = await desk.pool.fetchrow(QUERIES["find_account"], user_id)
    else:
        row = await connection.fetchrow(QUERIES["lock_account"], user_id)
    if row is None:
        return account_of_setting(desk, user_id)
    if row["status"] != "connected":
        return None
    return Account(user_id, row["seller_id"], row["marketplace_id"], _token(desk, user_id, row["sealed_token"]))


def account_of_setting(desk: Desk, user_id: str) -> Account | None:
    """The account for everybody who never had one of his own, if the settings have one."""
    token, marketplace = desk.settings.amazon_refresh_token, desk.settings.amazon_marketplace
    return Account(user_id, OF_SETTING, marketplace, token) if token else None


async def revoke(desk: Desk, connection: Connection, account: Account) -> bool:
    """Note that Amazon accepts the token of this account no more; whether that was news.

    One that was connected anew since has another token, and stays; that of the setting is the operator's to change.
    """
    row = await connection.fetchrow(QUERIES["lock_account"], account.user_id)
    if row is None or row["status"] != "connected":
        return False
    if _token(desk, account.user_id, row["sealed_token"]) != account.refresh_token:
        return False
    await connection.execute(QUERIES["end_account"], account.user_id, "revoked")
    return True


def token_keeper(settings: Settings, vault: Vault) -> Callable[[Account, str], Awaitable[None]]:
    """What keeps another refresh token that Amazon gives an account in place of this one.

    Amazon does so rarely, if ever, so each time has a connection of its own. An account that was connected anew, or
    disconnected since, stays as it is; so does that of the setting, which only the operator can change.
    """

    async def keep(account: Account, another: str) -> None:
        place = place_of_token(account.user_id)
        connection = await open_connection(settings.postgres_at, name="amazon token")
        try:
            async with connection.transaction():
                row = await connection.fetchrow(QUERIES["lock_account"], account.user_id)
                if row is None or row["status"] != "connected":
                    return
                if vault.open(row["sealed_token"], place) == account.refresh_token:
                    await connection.execute(QUERIES["keep_token"], account.user_id, vault.seal(another, place))
        finally:
            await connection.close()

    return keep


def _token(desk: Desk, user_id: str, sealed: Any) -> str:
    try:
        return desk.tools.vault.open(sealed, place_of_token(user_id))
    except Unopened as error:
        desk.log.error("a token cannot be opened: see FLUXGATE_VAULT_SEEDS", user=user_id, error=str(error))
        message = "No account at Amazon can be opened until ours are put right."
        raise Refuse(503, "VAULT_CLOSED", message, retryable=True) from None
