"""The steps of one purchase at G2A: it is reserved, paid, looked for, and its keys are fetched and sealed.

Each step is one guarded update: who finds the purchase in another state, or called by somebody else since, has lost
nothing and changes nothing. Every outcome that may have cost money is asked for, and never guessed.
"""

import asyncio
from typing import Any, NamedTuple

from contract.settings import Settings
from workers.clients.g2a import Bought, G2AFault, KeyGone, Wanted
from workers.key_orders import QUERIES, change
from workers.order_steps import Row
from workers.service import Desk
from workers.vault import place_of_key

QUIET_TIMES = 3
"""How often the time that G2A may take for an answer has to pass before an outcome that nobody knows is asked for: by
then no worker waits for it any more, and G2A itself has finished what it was asked for by one that is dead."""
GIVE_UP_S = 4 * 3_600
"""After this time what could not be bought is paid back: who buys a game wants to play today."""
GIVE_UP_PAID_S = 24 * 3_600
"""After this time what was bought, and does not come, is paid back all the same; then somebody has to speak with
G2A."""
RESERVED_S = 20 * 60
"""Seconds after which a reservation is not relied on; G2A keeps it for half an hour."""
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 300.0
PAUSE_SHARE = 0.25
"""Of the time waited so far, before the next look: so pauses grow without anybody counting them."""


class Work(NamedTuple):
    """Who buys, and for how many seconds the order has been bought for."""

    desk: Desk
    age_s: float


async def take_step(work: Work, row: Row) -> float | None:
    """Take the next step of a purchase; gives the seconds until the one after it, None when it has ended."""
    before = row["state"]
    limit_s = GIVE_UP_S if before == "intended" else GIVE_UP_PAID_S
    # What nobody has tried to buy is tried, however late; what was tried in vain is not begun again after its time.
    is_over = before == "intended" and row["called_at"] is not None and work.age_s >= limit_s
    wait_s = 0.0 if is_over else await _take(work, row)
    if wait_s is None or work.age_s < limit_s:
        return wait_s
    after, why = ("failed", "to sell it") if before == "intended" else ("lost", "for its keys")
    reason = f"G2A_TIMEOUT: G2A was asked {why} for {limit_s // 3_600} hours"
    if not await change(work.desk.pool, row["id"], before, after, reason=reason):
        return wait_s
    work.desk.log.error("a purchase is given up", state=after, **_told(row))
    return None


def quiet_s(settings: Settings) -> float:
    """Seconds after which nobody is at a purchase any more that was called before."""
    return QUIET_TIMES * settings.g2a_timeout_s


def pause_s(waited_s: float, after_s: float = 0.0) -> float:
    """How long to wait for the next look, after waiting so long; no shorter than G2A has asked for."""
    return max(after_s, PAUSE_FIRST_S, min(PAUSE_MAX_S, waited_s * PAUSE_SHARE))


async def _take(work: Work, row: Row) -> float | None:
    quiet = quiet_s(work.desk.settings)
    match row["state"]:
        case "intended":
            return await _buy(work, row)
        case "calling" | "collecting" if row["called_s"] < quiet:
            # Somebody is at it, or died less than a moment ago.
            return quiet - row["called_s"]
        case "calling":
            return await _ask(work, row)
        case "collecting":
            return await _download(work, row)
        case _:
            return await _look(work, row)


async def _buy(work: Work, row: Row) -> float | None:
    desk, g2a, clock = work.desk, work.desk.tools.g2a, asyncio.get_running_loop()
    quiet = quiet_s(desk.settings)
    try:
        upstream_id = await _reserve(work, row)
        if upstream_id is None:
            return PAUSE_FIRST_S
        await g2a.take_turn()
    except G2AFault as fault:
        return await _refused(work, row, fault)
    give_up = clock.time() + quiet / 2
    called_at = await desk.pool.fetchval(QUERIES["begin_calling"], row["id"])
    if called_at is None:
        return PAUSE_FIRST_S
    if clock.time() > give_up:
        # We were held up: somebody may be asking already whether it was bought, and must not be proven wrong.
        return quiet
    try:
        async with asyncio.timeout_at(give_up):
            bought = await g2a.pay(_wanted(row, upstream_id))
    except TimeoutError:
        desk.log.warning("nobody knows whether it was bought", error="G2A does not answer", **_told(row))
        return quiet
    except G2AFault as fault:
        if fault.is_unknown:
            desk.log.warning("nobody knows whether it was bought", error=str(fault), **_told(row))
            return quiet
        await change(desk.pool, row["id"], "calling", "intended", called_at=called_at)
        return await _refused(work, row, fault)
    return await _note(work, row, "calling", bought, called_at)


async def _reserve(work: Work, row: Row) -> str | None:
    """Have the units kept, where G2A does that, and write down by which of its orders; None where somebody else does
    it. Raises G2AFault."""
    g2a, before = work.desk.tools.g2a, row["upstream_id"]
    if before and row["reserved_s"] is not None and row["reserved_s"] < RESERVED_S:
        return before
    await g2a.take_turn()
    upstream_id = await g2a.reserve(_wanted(row))
    if not upstream_id:
        return ""
    # Where somebody was faster, ours lapses, and costs nothing.
    own = (row["id"], before, upstream_id)
    return upstream_id if await work.desk.pool.fetchval(QUERIES["keep_reservation"], *own) else None


async def _refused(work: Work, row: Row, fault: G2AFault) -> float | None:
    """G2A has not sold it. What will pass is waited for, and so is an operator who sets our credentials right."""
    if fault.is_passing or fault.code == "G2A_AUTH_FAILED":
        work.desk.log.warning("G2A does not sell now", error=str(fault), **_told(row))
        return pause_s(work.age_s, fault.after_s)
    work.desk.log.error("G2A does not sell", error=str(fault), **_told(row))
    await change(work.desk.pool, row["id"], "intended", "failed", reason=str(fault))
    return None


async def _ask(work: Work, row: Row) -> float | None:
    """Ask what became of a purchase that somebody was paying for."""
    try:
        bought = await work.desk.tools.g2a.look_up(_wanted(row, row["upstream_id"]))
    except G2AFault as fault:
        work.desk.log.warning("nobody can say whether it was bought", error=str(fault), **_told(row))
        return pause_s(row["called_s"], fault.after_s)
    work.desk.log.warning("asked what became of a purchase", found=repr(bought), **_told(row))
    if bought is not None:
        return await _note(work, row, "calling", bought, row["called_at"])
    await change(work.desk.pool, row["id"], "calling", "intended", called_at=row["called_at"])
    return 0.0


async def _look(work: Work, row: Row) -> float | None:
    """Look what has become of an order at G2A."""
    try:
        bought = await work.desk.tools.g2a.read_order(row["upstream_id"])
    except G2AFault as fault:
        work.desk.log.warning("an order at G2A cannot be read", error=str(fault), **_told(row))
        return pause_s(row["called_s"], fault.after_s)
    return await _note(work, row, "pending", bought, None)


async def _note(work: Work, row: Row, before: str, bought: Bought, called_at: Any) -> float | None:
    """Write down what G2A says of its order."""
    pool = work.desk.pool
    own: dict[str, Any] = {"called_at": called_at, "upstream_id": bought.id}
    if bought.status == "completed" and bought.keys:
        return await _keep(work, row, before, bought.keys, **own)
    if bought.status == "failed":
        reason = f"G2A_API_ERROR: {bought.reason or 'G2A says that its order has failed'}"
        noted = await change(pool, row["id"], before, "failed", reason=reason, **own)
        work.desk.log.error("a purchase has failed", reason=reason, noted=noted, **_told(row))
        return None
    if before != "pending" and not await change(pool, row["id"], before, "pending", **own):
        return _lost_touch(work, row, bought.id)
    if bought.status == "completed":
        return await _download(work, {**row, "upstream_id": bought.id})
    return pause_s(row["called_s"] if before == "pending" else 0.0)


async def _download(work: Work, row: Row) -> float | None:
    """Fetch keys that are given out once; nobody else does it meanwhile."""
    desk = work.desk
    called_at = await desk.pool.fetchval(QUERIES["begin_collecting"], row["id"], quiet_s(desk.settings))
    if called_at is None:
        return PAUSE_FIRST_S
    try:
        keys = await desk.tools.g2a.download_keys(row["upstream_id"])
    except KeyGone:
        reason = "G2A_API_ERROR: its key was given out before, and has not come here"
        desk.log.error("a key is lost: ask G2A for it", upstream=row["upstream_id"], **_told(row))
        await change(desk.pool, row["id"], "collecting", "lost", called_at=called_at, reason=reason)
        return None
    except G2AFault as fault:
        desk.log.warning("keys cannot be fetched now", error=str(fault), **_told(row))
        await change(desk.pool, row["id"], "collecting", "pending", called_at=called_at)
        return pause_s(work.age_s, fault.after_s)
    return await _keep(work, row, "collecting", keys, called_at=called_at)


async def _keep(work: Work, row: Row, before: str, keys: tuple[str, ...], **own: Any) -> float | None:
    """Seal keys, and keep them together with the news that they are there."""
    desk = work.desk
    sealed = [desk.tools.vault.seal(key, place_of_key(row["id"], number)) for number, key in enumerate(keys, 1)]
    async with desk.pool.acquire() as connection, connection.transaction():
        noted = await change(connection, row["id"], before, "delivered", **own)
        if noted:
            await connection.execute(QUERIES["add_keys"], row["id"], sealed)
    if not noted:
        return _lost_touch(work, row, own.get("upstream_id") or row["upstream_id"])
    if len(keys) != row["quantity"]:
        desk.log.error("G2A has delivered another number of keys", keys=len(keys), units=row["quantity"], **_told(row))
    return None


def _lost_touch(work: Work, row: Row, upstream_id: str) -> float:
    """Somebody else has gone on with it meanwhile. He has found this very order; if not, it was bought twice."""
    work.desk.log.warning("a purchase has gone on without us", upstream=upstream_id, **_told(row))
    return PAUSE_FIRST_S


def _wanted(row: Row, upstream_id: str = "") -> Wanted:
    return Wanted(str(row["id"]), row["product_id"], row["quantity"], row["price_max"], upstream_id)


def _told(row: Row) -> dict[str, str]:
    return {"purchase": str(row["id"]), "order": str(row["order_id"])}
