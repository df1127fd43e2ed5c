"""What a sync with Amazon does when Amazon does not do as it is asked: waits, begins a pass anew, or gives up."""

from datetime import timedelta

from contract.bus import encode
from sql import Connection
from workers.amazon_cursor import Stuck, cursor_of
from workers.amazon_documents import QUERIES, Told, publish, told_of
from workers.amazon_parts import next_order
from workers.amazon_progress import MESSAGES, waiting
from workers.amazon_steps import BEHIND_S, ERROR_MAX, Change, Run, do_step, end_part, fail, give_up_part
from workers.bus import pause_s
from workers.clients.amazon import Account, AmazonFault
from workers.service import Desk, More

FAULTS_MAX = 12
PAUSE_MAX_S = 120.0
"""Passing faults in a row, and the longest pause after one of them: ten minutes in all, for nobody sits and waits."""
WAIT_LEAST_S = 0.1
WAIT_MAX_S = 600.0
"""The longest that a turn is waited for before it is asked for again: the rate may have changed."""
_REVOKED = "Amazon no longer accepts the connection. Please connect your Amazon account again."


async def meet(desk: Desk, run: Run, account: Account, fault: AmazonFault) -> Run | More:
    """Do what a fault of Amazon asks for."""
    say = desk.log.debug if fault.kind == "waiting" else desk.log.warning
    part = cursor_of(run).part
    say("Amazon has a fault", sync=run["sync_id"], part=part, kind=fault.kind, error=fault.message)
    match fault.kind:
        case "waiting":
            return await _wait(desk, run, account, fault.after_s)
        case "throttled" if run["faults"] + 1 < FAULTS_MAX:
            return await _wait(desk, run, account, _fault_pause_s(run, fault), 1)
        case "away" | "unreadable" if run["faults"] + 1 < FAULTS_MAX:
            return await _pause(desk, run, fault)
        case "stale":
            return await _restart(desk, run)
        case "revoked":
            return await fail(desk, run, _REVOKED, revoked=account)
        case _:
            is_of_order = fault.kind == "refused" and part == "items"
            return await (_without_order(desk, run) if is_of_order else give_up_part(desk, run, fault.message))


async def _wait(desk: Desk, run: Run, account: Account, after_s: float, faults: int = 0) -> More:
    """Wait for a turn of Amazon's rate, and say how long and why."""
    cursor, told = cursor_of(run), told_of(run)
    after_s = min(WAIT_MAX_S, max(WAIT_LEAST_S, after_s))
    pace = await desk.tools.amazon.pace(account, cursor.part)
    wait = waiting(cursor, run["until"], pace, after_s)
    told.rate_limit = wait.limit
    if wait.left_s is not None:
        told.estimated_completion = run["now"] + timedelta(seconds=wait.left_s)
    is_noted = await _note(desk, run, wait.message, told, faults, turn_s=after_s)
    return More(after_s if is_noted else BEHIND_S)


async def _pause(desk: Desk, run: Run, fault: AmazonFault) -> More:
    """Wait for a fault of Amazon to pass."""
    told = told_of(run)
    told.rate_limit = None
    doing = MESSAGES[cursor_of(run).part].removesuffix("...")
    message = f"{doing}: {fault.message[:ERROR_MAX]} It is tried again."
    is_noted = await _note(desk, run, message, told, 1)
    return More(_fault_pause_s(run, fault) if is_noted else BEHIND_S)


async def _note(desk: Desk, run: Run, message: str, told: Told, faults: int, turn_s: float | None = None) -> bool:
    """Tell that a sync waits; False where somebody else has come first."""
    own = (run["id"], run["steps"], turn_s, message, encode(told).decode(), faults)
    row = await desk.pool.fetchrow(QUERIES["note_wait"], *own)
    if row is not None:
        await publish(desk.redis, row, desk.log)
    return row is not None


def _fault_pause_s(run: Run, fault: AmazonFault) -> float:
    return min(WAIT_MAX_S, max(fault.after_s, pause_s(run["faults"] + 1, max_s=PAUSE_MAX_S)))


async def _restart(desk: Desk, run: Run) -> Run | More:
    """Begin the pass anew: what it has written stays, and is written again."""
    cursor, told = cursor_of(run), told_of(run)
    try:
        anew = cursor.restarted()
    except Stuck as stuck:
        return await give_up_part(desk, run, str(stuck))

    async def work(_: Connection) -> Change:
        return Change(anew, told)

    return await do_step(desk, run, work)


async def _without_order(desk: Desk, run: Run) -> Run | More:
    """Leave an order without its items, and go on with the next."""
    cursor, told = cursor_of(run), told_of(run)

    async def work(connection: Connection) -> Change:
        left = next_order(cursor)
        return Change(left, told) if left else await end_part(connection, desk, run, cursor, told)

    return await do_step(desk, run, work)
