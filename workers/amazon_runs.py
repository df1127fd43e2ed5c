"""Does a sync with Amazon, page by page, in steps that are short and kept whole.

Consumes  run_sync, a command of the worker `amazon` that stands in the outbox as long as its sync is running
Calls     Amazon, outside of any transaction
Writes    by way of `amazon_steps.py` claims, inventory and orders; and with them, where the sync stands
Emits     the news of a sync after each step, to whoever watches it
Fails     by going on where it was: where a sync stands is committed with what it has written. Whoever finds other
          `steps` than he has seen, or a sync that is not running, writes nothing: what was cancelled or has failed can
          never become completed. A turn of Amazon's rate is waited for in the outbox; passing faults are waited out
          there, FAULTS_MAX times in a row. A part that fails for good is told, and the others are read all the same
"""

import time
from uuid import UUID

import msgspec

from contract.bus import BusCommand
from workers.amazon_account_rows import find_account
from workers.amazon_cursor import Stuck, cursor_of
from workers.amazon_documents import QUERIES, told_of
from workers.amazon_parts import fetch, first_cursor
from workers.amazon_places import Places
from workers.amazon_resume import RUN_MAX, TOO_LONG
from workers.amazon_setbacks import meet
from workers.amazon_steps import Run, do_step, end_part, fail, finish, give_up_part, keep, sweep_on
from workers.bus import step_s
from workers.clients.amazon import AmazonFault
from workers.faults import is_bad_data
from workers.service import Desk, Ending, More, replied

AT_ONCE_MAX = 8
"""Syncs that one process has at work: half of its commands. Amazon may hang on each of them, and who starts a sync or
asks for one is answered all the same."""
_EXCHANGED = "The Amazon account was disconnected while it was being synced."


class Which(msgspec.Struct):
    """Which sync is to be done, by its row."""

    id: UUID


_which = msgspec.json.Decoder(Which)


async def run_sync(desk: Desk, command: BusCommand) -> Ending:
    """Go on with a sync until it ends, has to wait, or the time of one step is over."""
    own = _which.decode(command.body).id
    places: Places = desk.tools.places
    if places.are_taken:
        return More(places.turn_s())
    with places:
        give_up = time.monotonic() + step_s(desk.settings)
        run = await desk.pool.fetchrow(QUERIES["read_sync"], own)
        while run is not None and run["status"] == "running":
            after = await _go_on(desk, run)
            if isinstance(after, More):
                return after
            run = after
            if run["status"] == "running" and time.monotonic() >= give_up:
                return More()
    return replied({})


async def _go_on(desk: Desk, run: Run) -> Run | More:
    """Do one step; gives the row behind it, or how long to wait."""
    cursor, told = cursor_of(run), told_of(run)
    if run["now"] - run["created_at"] > RUN_MAX:
        return await fail(desk, run, TOO_LONG)
    account = await find_account(desk, run["user_id"])
    if account is None or cursor.seller_id not in ("", account.seller_id):
        return await fail(desk, run, _EXCHANGED)
    if cursor.part == "begin":
        begun = first_cursor(account)
        return await do_step(desk, run, lambda connection: end_part(connection, desk, run, begun, told))
    if cursor.part == "end":
        return await do_step(desk, run, lambda _: finish(cursor, told))
    if cursor.is_sweeping:
        return await do_step(desk, run, lambda connection: sweep_on(connection, desk, run, cursor, told))
    try:
        page = await fetch(desk.tools.amazon, account, cursor, run["until"], run["now"])
    except AmazonFault as fault:
        return await meet(desk, run, account, fault)
    try:
        return await do_step(desk, run, lambda connection: keep(connection, desk, run, cursor, told, page))
    except Stuck as stuck:
        return await give_up_part(desk, run, str(stuck))
    except AmazonFault as fault:
        return await meet(desk, run, account, fault)
    except Exception as error:
        if not is_bad_data(error):
            raise
        desk.log.exception("the database does not take a page", sync=run["sync_id"], part=cursor.part)
        return await give_up_part(desk, run, "A page of Amazon's could not be kept.")
