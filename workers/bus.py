"""The loop of the command bus: read, handle several at once, settle each as it ends. What an ending means stands here.

Consumes  the stream of commands of one service
Calls     its handlers
Writes    the reply of each command, where its handler wrote nothing but its own rows
Emits     the reply, to the process that asked
Fails     as the ending of a command says; one past its deadline is answered and not run. Each runs at least once; what
          it changes, it changes once (`workers/once.py`)

    Replied    its caches go, the reply is kept and told to who asked, and the command leaves its stream
    Later      it waits in the outbox of Postgres for its time, and comes back as another attempt
    More       it has done a part, and waits in the same way for its next, however often
    Never      it moves to `<stream>.dead` with its reason, and who asked is told that it failed
    Refuse     as Replied, with the problem; what was begun has been rolled back
    exception  passing faults are waited out while somebody waits; a bug is answered with 500, or tried again later
               where nobody asked
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog

import lua
from contract.bus import FIELD, BusCommand, BusReply, Problem, decode_command, encode
from contract.settings import Settings
from contract.transport import Delivery, Settled, Stream, bury, settle
from sql import load_queries
from workers.consumer import Reader, until_it_works
from workers.faults import is_transient
from workers.once import already_done
from workers.service import Desk, Ending, Later, More, Never, Refuse, Replied, Service

AT_ONCE_MAX = 16
"""Commands of one process at work at the same time: more would only wait for Postgres."""
FINISH_WITHIN_S = 2.0
"""How long commands in hand have at a stop. What takes longer is left to others, and comes back after the lease."""
DELIVERIES_MAX = 16
"""Deliveries after which a command counts as one that kills whoever handles it."""
ATTEMPTS_MAX = 20
"""Attempts of a command that nobody waits for; with the pauses below that is most of a day."""
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 3_600.0
STEP_PART = 0.4
"""Of a lease: how long one delivery of a command may work that is done in parts. After a whole one others take it over,
and the last of its parts takes a moment longer."""
PATIENCE_S = 2.0
"""How long a passing fault is waited out while somebody waits for the answer: less than they do."""
AGAIN_S = 0.1

_EXPIRED = Problem("EXPIRED", "It was asked for so long ago that it was not done. Ask again.", True, "retry")
_AWAY = Problem(
    "DATABASE_UNAVAILABLE", "The database does not answer. Ask again with the same key.", True, "retry_later"
)
_BUG = Problem("INTERNAL", "Something is wrong on our side, and nothing was changed.", False, "contact_support")


class _Task(NamedTuple):
    """A command with its place."""

    delivery: Delivery
    place: Settled
    command: BusCommand


async def run(desk: Desk, service: Service, stream: Stream, stop: asyncio.Event) -> None:
    """Handle commands until `stop` is set; those in hand are finished first, but for those that take too long."""
    reader = Reader(stream, desk.settings.lease_s, desk)
    at_work: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks:
        while not stop.is_set():
            if len(at_work) >= AT_ONCE_MAX:
                await asyncio.wait(at_work.values(), return_when=asyncio.FIRST_COMPLETED)
                continue
            for delivery in await reader.next(AT_ONCE_MAX - len(at_work), stop):
                # What is claimed back from ourselves is still at work, and may go on.
                if delivery.entry_id not in at_work:
                    work = tasks.create_task(_run_apart(desk, service, stream, delivery, stop))
                    at_work[delivery.entry_id] = work
                    work.add_done_callback(lambda _, own=delivery.entry_id: at_work.pop(own))
        if at_work:
            _, late = await asyncio.wait(at_work.values(), timeout=FINISH_WITHIN_S)
            for work in late:
                work.cancel()


async def _run_apart(desk: Desk, service: Service, stream: Stream, delivery: Delivery, stop: asyncio.Event) -> None:
    """Handle one delivery. One that cannot be settled stays pending and comes back after the lease; it takes no other
    with it."""
    try:
        await run_once(desk, service, stream, delivery, stop)
    except Exception:
        desk.log.exception("a command cannot be settled", entry=delivery.entry_id)


async def run_once(desk: Desk, service: Service, stream: Stream, delivery: Delivery, stop: asyncio.Event) -> None:
    """Handle and settle one delivery."""
    text = delivery.fields.get(FIELD.encode(), b"")
    try:
        command = decode_command(text)
        UUID(command.id)
    except (ValueError, msgspec.MsgspecError) as error:
        place = Settled(stream.name, stream.group, delivery.entry_id, "", "")
        reason = f"no command: {error}"[:500]
        desk.log.error("command is dead-lettered", reason=reason)
        dead = lua.dead_commands_key(service.name)
        await until_it_works(lambda: bury(desk.redis, place, dead, text, reason, b""), desk, stop)
        return
    place = Settled(stream.name, stream.group, delivery.entry_id, lua.reply_key(command.id), command.reply_to)
    with structlog.contextvars.bound_contextvars(
        command=command.id, kind=command.kind, request_id=command.request_id, trace=command.trace
    ):
        began = time.perf_counter()
        ending = await _ending(desk, service, command, delivery.deliveries, stop)
        if ending is None:
            return
        word = await until_it_works(lambda: _settle(desk, _Task(delivery, place, command), ending), desk, stop)
        seconds = time.perf_counter() - began
        desk.log.info("command", ending=word, attempt=command.attempt, ms=round(seconds * 1000, 1))
        kind = command.kind if command.kind in service.handlers else "unknown"
        of = {"trace_id": command.trace[3:35], "request_id": command.request_id}
        await _counted(lua.count_handled(desk.redis, service.name, kind, word or "stopped", seconds, **of), desk)


async def _ending(
    desk: Desk, service: Service, command: BusCommand, deliveries: int, stop: asyncio.Event
) -> Ending | None:
    """What becomes of a command; None when it is time to stop before anything did."""
    handler = service.handlers.get(command.kind)
    if handler is None:
        return Never(f"no handler for the kind {command.kind[:100]!r}")
    if deliveries > DELIVERIES_MAX:
        return Never(f"delivered {deliveries} times without being settled")
    if command.deadline_ms and time.time() * 1000 > command.deadline_ms:
        # It may have been done in time, by a worker that died before it could say so, or forget what is stale now.
        done = await until_it_works(lambda: already_done(desk, command), desk, stop)
        return done or Replied(503, problem=_EXPIRED)

    async def work() -> Ending:
        async with asyncio.timeout(service.within_s):
            return await handler(desk, command)

    try:
        # One that has no deadline any more has done a part of its work, and has to do the rest.
        is_waited_for = command.reply_to and command.deadline_ms
        return await (_with_patience(work, desk) if is_waited_for else until_it_works(work, desk, stop))
    except Refuse as refused:
        return Replied(refused.status, problem=refused.problem)
    except msgspec.ValidationError as error:
        return Replied(400, problem=Problem("BAD_REQUEST", f"{error}.", False, "correct_request"))
    except Exception as error:
        if is_transient(error):
            return Replied(503, problem=_AWAY)
        desk.log.exception("a bug")
        if command.reply_to:
            return Replied(500, problem=_BUG)
        return Later(pause_s(command.attempt), f"{type(error).__name__}: {error}"[:500])


async def _with_patience(work: Callable[[], Awaitable[Ending]], desk: Desk) -> Ending:
    """Repeat `work` while it fails with a passing fault, for PATIENCE_S; then raise the fault."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_transient(error) or time.monotonic() > give_up:
                raise
            desk.log.warning("waiting for a server", error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(AGAIN_S)


def pause_s(attempt: int, first_s: float = PAUSE_FIRST_S, max_s: float = PAUSE_MAX_S) -> float:
    """The pause after an attempt that failed: doubled each time."""
    return min(max_s, first_s * 2 ** min(attempt - 1, 30))


def step_s(settings: Settings) -> float:
    """How long one delivery of a command that is done in parts works before it gives More."""
    return STEP_PART * settings.lease_s


async def _settle(desk: Desk, task: _Task, ending: Ending) -> str:
    """Do what an ending means; gives the word that it is counted under."""
    command = task.command
    match ending:
        case Replied():
            if ending.stale:
                invalidated = await lua.invalidate(desk.redis, ending.stale)
                if invalidated.faults:
                    desk.log.error("caches are not forgotten", faults=invalidated.faults)
            reply = BusReply(command.id, ending.status, ending.data, ending.problem)
            await settle(desk.redis, task.place, encode(reply))
            return str(ending.status)
        case Later() if command.attempt < ATTEMPTS_MAX:
            desk.log.warning("command comes back later", reason=ending.reason, after_s=ending.after_s)
            await _put_off(desk, task, ending.after_s, attempt=command.attempt + 1)
            return "later"
        case More():
            await _put_off(desk, task, ending.after_s, attempt=1, deadline_ms=0)
            return "more"
        case Later() | Never():
            desk.log.error("command is dead-lettered", reason=ending.reason)
            reply = BusReply(command.id, 500, problem=_BUG)
            dead, text = lua.dead_commands_key(task.place.group), task.delivery.fields[FIELD.encode()]
            await bury(desk.redis, task.place, dead, text, ending.reason[:500], encode(reply))
            return "dead"


async def _put_off(desk: Desk, task: _Task, after_s: float, **changes: int) -> None:
    """Let a command wait in the outbox for so many seconds, with these fields changed."""
    again = msgspec.structs.replace(task.command, **changes)
    row = (UUID(again.id), task.place.group, msgspec.json.encode(again), after_s)
    await desk.pool.execute(load_queries("bus")["leave_command"], *row)
    await settle(desk.redis, task.place, b"")


async def _counted(counting: Awaitable[None], desk: Desk) -> None:
    """Counts are worth no repetition: a count that is lost says so in the log."""
    try:
        await counting
    except Exception as error:
        if not is_transient(error):
            raise
        desk.log.warning("a command is not counted", error=f"{type(error).__name__}: {error}")
