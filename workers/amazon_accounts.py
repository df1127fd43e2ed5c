"""Accounts at Amazon: a seller lets us in on Amazon's own page, comes back with a code, and may leave again.

Consumes  begin_consent, finish_consent, disconnect and account_status, as commands of the worker `amazon`
Calls     Login with Amazon, outside of any transaction: a code is worth a refresh token, once
Writes    amazon_consents, amazon_accounts, sync_progress where a sync reads an account that is no more
Emits     a reply to each, and the news of a sync that it has cancelled
Fails     with 400 for a state or a code that is no good, with 503 while Amazon is away. Who dies behind the exchange
          has used up the code, and kept nothing: the seller begins again
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from contract.amazon import BeginConsent, FinishConsent
from contract.bus import BusCommand
from contract.sealing import Unopened, open_body
from sql import Connection
from workers.amazon_account_rows import OF_SETTING, QUERIES, account_of_setting
from workers.amazon_documents import cancel, document, last_sync, publish
from workers.clients.amazon import AmazonFault
from workers.once import already_done, once
from workers.service import Desk, Ending, Handler, Refuse, Replied, replied
from workers.vault import place_of_token

CONSENT_S = 600.0
"""How long a seller may take on Amazon's page; the code that he comes back with is good for five minutes itself."""
CONSENTS_MAX = 5
"""Ways to Amazon that one user may have begun: one for each window that he has open."""
Row = Mapping[str, Any]

_begins = msgspec.json.Decoder(BeginConsent)
_finishes = msgspec.json.Decoder(FinishConsent)


async def begin_consent(desk: Desk, command: BusCommand) -> Ending:
    """Remember whom the state belongs to that is on its way to Amazon; of too many the oldest are forgotten."""
    digest = bytes.fromhex(_begins.decode(command.body).digest)

    async def work(connection: Connection) -> Replied:
        if not await connection.fetchval(QUERIES["lock_user"], command.user_id):
            raise Refuse(401, "UNAUTHORIZED", "There is no such user any more. Log in again.", action="log_in")
        await connection.execute(QUERIES["add_consent"], digest, command.user_id, CONSENT_S)
        await connection.execute(QUERIES["forget_oldest_consents"], command.user_id, CONSENTS_MAX)
        return replied({})

    return await once(desk, command, work)


async def finish_consent(desk: Desk, command: BusCommand) -> Ending:
    """Exchange the code that a seller has come back with, and connect his account."""
    wanted = _opened(desk, command)
    if done := await already_done(desk, command):
        return done
    digest, user_id = bytes.fromhex(wanted.digest), command.user_id
    if not await desk.pool.fetchval(QUERIES["find_consent"], digest, user_id):
        raise _unknown()
    token = await _exchange(desk, wanted)
    account = (wanted.seller_id, desk.settings.amazon_marketplace)
    sealed = desk.tools.vault.seal(token, place_of_token(user_id))
    cancelled: list[Row] = []

    async def work(connection: Connection) -> Replied:
        # That it was in time was found before Amazon was asked, which may take a while.
        if not await connection.fetchval(QUERIES["use_consent"], digest, user_id):
            raise _unknown()
        before = await connection.fetchrow(QUERIES["lock_account"], user_id)
        row = await connection.fetchrow(QUERIES["connect_account"], user_id, *account, sealed)
        if before is None or (before["seller_id"], before["marketplace_id"]) != account:
            await _cancel(connection, user_id, cancelled)
        return replied(
            {
                "connected": True,
                "sellerId": row["seller_id"],
                "marketplaceId": row["marketplace_id"],
                "connectedAt": row["connected_at"],
            }
        )

    ending = await once(desk, command, work)
    await _tell(desk, cancelled)
    return ending


async def disconnect(desk: Desk, command: BusCommand) -> Ending:
    """Forget the token of an account, and cancel the sync that reads it. Repeated, it says the same."""
    user_id, cancelled = command.user_id, list[Row]()

    async def work(connection: Connection) -> Replied:
        if of_setting := account_of_setting(desk, user_id):
            own = (user_id, of_setting.seller_id, of_setting.marketplace_id)
            await connection.execute(QUERIES["add_disconnected"], *own)
        # A way that was begun before leads nowhere any more.
        await connection.execute(QUERIES["use_up_consents"], user_id)
        await connection.execute(QUERIES["end_account"], user_id, "disconnected")
        # Behind the account: whoever begins a sync locks it first, so what he has begun is seen here.
        await _cancel(connection, user_id, cancelled)
        return replied({"connected": False})

    ending = await once(desk, command, work)
    await _tell(desk, cancelled)
    return ending


async def account_status(desk: Desk, command: BusCommand) -> Ending:
    """Whether an account is connected, and what became of the last sync."""
    user_id = command.user_id
    row = await desk.pool.fetchrow(QUERIES["find_account"], user_id)
    sync = await last_sync(desk, user_id)
    return replied(
        {
            **(_shown(row) if row is not None else _shown_of_setting(desk, user_id)),
            "isSandbox": desk.settings.is_amazon_sandboxed,
            "syncInProgress": sync is not None and sync["status"] == "running",
            "lastSync": sync and document(sync),
        }
    )


def _shown(row: Row) -> dict[str, Any]:
    return {
        "connected": row["status"] == "connected",
        "status": row["status"],
        "sellerId": row["seller_id"],
        "marketplaceId": row["marketplace_id"],
        "connectedAt": row["connected_at"],
        "endedAt": row["ended_at"],
        "needsReconnect": row["status"] == "revoked",
    }


def _shown_of_setting(desk: Desk, user_id: str) -> dict[str, Any]:
    account = account_of_setting(desk, user_id)
    return {
        "connected": account is not None,
        "status": "connected" if account else "not_connected",
        "sellerId": OF_SETTING if account else None,
        "marketplaceId": account and account.marketplace_id,
        "connectedAt": None,
        "endedAt": None,
        "needsReconnect": False,
    }


def _opened(desk: Desk, command: BusCommand) -> FinishConsent:
    try:
        plain, _ = open_body(desk.tools.keys, command.body)
    except Unopened:
        desk.log.error("a body was sealed for another key: see FLUXGATE_AUTH_PUBLIC of the gateways")
        message = "No account can be connected until our keys are put right."
        raise Refuse(503, "KEYS_DIFFER", message, retryable=True) from None
    return _finishes.decode(plain)


async def _cancel(connection: Connection, user_id: str, cancelled: list[Row]) -> None:
    """Cancel the sync that is running, if one is, and note it for whoever watches, who hears of it after the commit."""
    if row := await cancel(connection, user_id):
        cancelled.append(row)


async def _tell(desk: Desk, cancelled: list[Row]) -> None:
    for sync in cancelled:
        await publish(desk.redis, sync, desk.log)


async def _exchange(desk: Desk, wanted: FinishConsent) -> str:
    """The refresh token that the code is worth. Raises Refuse."""
    try:
        grant = await desk.tools.amazon.exchange(wanted.code, wanted.redirect_uri)
    except AmazonFault as fault:
        if fault.is_passing:
            desk.log.warning("Login with Amazon does not answer", error=fault.message)
            message = "Amazon does not answer at the moment. Connect the account again in a minute."
            raise Refuse(503, "AMAZON_UNAVAILABLE", message, retryable=True, action="retry_later") from None
        if fault.kind == "denied":
            desk.log.error("Amazon does not let this application in", error=fault.message)
            message = "Amazon does not let this application in. Tell whoever runs it."
            raise Refuse(503, "AMAZON_DENIED", message, action="contact_support") from None
        desk.log.warning("a consent is refused", kind=fault.kind, error=fault.message)
        message = "Amazon does not accept this consent: it was used before, or given too long ago. Begin again."
        raise Refuse(400, "CONSENT_REFUSED", message, action="begin_again") from None
    return grant.refresh_token


def _unknown() -> Refuse:
    message = "This connection was not begun here, or too long ago. Begin again."
    return Refuse(400, "CONSENT_UNKNOWN", message, action="begin_again")


HANDLERS: dict[str, Handler] = {
    "begin_consent": begin_consent,
    "finish_consent": finish_consent,
    "disconnect": disconnect,
    "account_status": account_status,
}
