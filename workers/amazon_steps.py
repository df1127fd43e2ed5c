"""Steps of a sync with Amazon: each writes what it has, and where the sync stands then, in one transaction.

Whoever finds other `steps` than he has seen, or a sync that is not running, has come too late and writes nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from contract.bus import encode
from sql import Connection
from workers.amazon_account_rows import QUERIES as ACCOUNTS
from workers.amazon_account_rows import revoke
from workers.amazon_cursor import Cursor, cursor_of
from workers.amazon_documents import QUERIES, Result, Told, publish, told_of
from workers.amazon_parts import count, following, next_part, settle_claims, sweep, write
from workers.amazon_progress import MESSAGES, STEPS, estimated_end, estimated_total, percent
from workers.clients.amazon import Account, Page
from workers.service import Desk, More
from workers.sync_counts import note_sync

BEHIND_S = 1.0
"""The pause of who has found his step done by another process, which goes on."""
ERROR_MAX = 400
"""Characters of a fault that are told."""
_COMPLETED = "Sync completed"
_NAMES = {"claims": "claims", "inventory": "inventory", "orders": "orders", "items": "items of orders"}
Run = Mapping[str, Any]


class Change(NamedTuple):
    """Where a sync stands after a step; with a status, it has ended."""

    cursor: Cursor
    told: Told
    status: str | None = None
    message: str | None = None


Work = Callable[[Connection], Awaitable[Change]]


async def do_step(desk: Desk, run: Run, work: Work) -> Run | More:
    """Do `work` and note where the sync stands then, in one transaction; nothing where somebody else has come first."""
    async with desk.pool.acquire() as connection, connection.transaction():
        # In the order of whoever disconnects an account, and cancels its sync then.
        await connection.fetchrow(ACCOUNTS["lock_account"], run["user_id"])
        if not await connection.fetchval(QUERIES["claim_step"], run["id"], run["steps"]):
            return More(BEHIND_S)
        await connection.execute(QUERIES["plan_for_these_values"])
        after = await _advance(connection, run, await work(connection))
    await publish(desk.redis, after, desk.log)
    if after["status"] in ("completed", "failed"):
        await note_sync(desk, "amazon", after["status"])
    return after


async def keep(connection: Connection, desk: Desk, run: Run, cursor: Cursor, told: Told, page: Page[Any]) -> Change:
    """Keep a page that was fetched, and go to the next one, or the next part."""
    written = await write(connection, desk.settings, run, cursor, page)
    if page.bad:
        desk.log.warning("entries of Amazon cannot be read", part=cursor.part, count=len(page.bad), first=page.bad[0])
    following_page = following(written, page, run["until"], run["now"])
    if written.part == "claims" and not (page.next_token or written.bad):
        await settle_claims(connection, desk.settings, run, written)
    is_over = following_page is None or following_page.is_sweeping
    total = written.rows if is_over else estimated_total(written, run["until"])
    count(told, written, total)
    if is_over and written.part == "orders":
        told.is_total_estimated = False
    if following_page is not None:
        return Change(following_page, told)
    return await end_part(connection, desk, run, written, told)


async def sweep_on(connection: Connection, desk: Desk, run: Run, cursor: Cursor, told: Told) -> Change:
    """Delete what a whole pass over the inventory has not seen, page by page."""
    left = await sweep(connection, run["user_id"], cursor)
    return Change(left, told) if left else await end_part(connection, desk, run, cursor, told)


async def end_part(
    connection: Connection, desk: Desk, run: Run, cursor: Cursor, told: Told, error: str | None = None
) -> Change:
    """End a part, well or by an error, and go to the next one."""
    if cursor.part != "begin":
        told.results[cursor.part] = Result("failed" if error else "success", error or _unread(cursor))
    if cursor.part in ("claims", "orders") and not error:
        own = (run["user_id"], cursor.seller_id, run["until"])
        await connection.execute(QUERIES[f"reached_{cursor.part}"], *own)
    return Change(await next_part(connection, desk.settings, run, cursor, told), told)


async def finish(cursor: Cursor, told: Told) -> Change:
    """End a sync whose parts have all ended: well, or with a message that names those that have not."""
    failed = [part for part, result in told.results.items() if result.status == "failed"]
    if not failed:
        return Change(cursor, told, "completed", _COMPLETED)
    told.error = " ".join(f"{_NAMES[part].capitalize()}: {told.result(part).error}" for part in failed)
    names = " and ".join(_NAMES[part] for part in failed)
    return Change(cursor, told, "failed", f"Sync failed: the {names} could not be read.")


async def give_up_part(desk: Desk, run: Run, error: str) -> Run | More:
    """Give up a part, and go on with the next."""
    cursor, told = cursor_of(run), told_of(run)
    error = error[:ERROR_MAX]
    return await do_step(desk, run, lambda connection: end_part(connection, desk, run, cursor, told, error))


async def fail(desk: Desk, run: Run, message: str, revoked: Account | None = None) -> Run | More:
    """End a sync that cannot go on; `revoked` is the account that Amazon accepts no more."""
    cursor, told = cursor_of(run), told_of(run)
    told.error = message

    async def work(connection: Connection) -> Change:
        if revoked:
            await revoke(desk, connection, revoked)
        return Change(cursor, told, "failed", message)

    return await do_step(desk, run, work)


async def _advance(connection: Connection, run: Run, change: Change) -> Run:
    cursor, told = change.cursor, change.told
    progress = max(run["progress"], percent(cursor, run["until"]))
    if change.status:
        progress = 100 if change.status == "completed" else run["progress"]
    told.rate_limit = None
    told.estimated_completion = estimated_end(progress, run["created_at"], run["now"])
    message = change.message or MESSAGES[cursor.part]
    kept = (encode(told).decode(), encode(cursor).decode(), change.status)
    return await connection.fetchrow(QUERIES["advance_sync"], run["id"], progress, message, STEPS[cursor.part], *kept)


def _unread(cursor: Cursor) -> str | None:
    return f"{cursor.unread:,} entries of Amazon could not be read." if cursor.unread else None
