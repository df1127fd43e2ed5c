"""What others tell us by webhook, after the gateway has checked who says it: each event once.

Consumes  g2a_event from the gateway, retry_event from the outbox
Calls     nothing
Writes    webhook_events, and in the same transaction what `workers/key_orders.py` makes of the event
Emits     retry_event for itself while an event waits for its order, and what `workers/key_orders.py` emits
Fails     with 409 where the event was here before, whatever became of it. An event of an order that is not known is
          parked (202), tried again, and given up in the end: what becomes of orders is asked of G2A as well
"""

from uuid import UUID, uuid5

import msgspec

from contract.bus import BusCommand, Problem, encode
from contract.webhooks import G2A, OneEvent, Webhook
from sql import Connection
from workers.bus import pause_s
from workers.key_orders import heed
from workers.once import once, tell
from workers.service import Desk, Ending, Handler, Refuse, Replied, Service, replied

ATTEMPTS_MAX = 12
"""Attempts of an event whose order is not known. With the pauses below that is an hour; an order of ours is known
within seconds, or after G2A was asked for it."""
PAUSE_FIRST_S = 2.0
PAUSE_MAX_S = 1_800.0
REASON_MAX = 100
"""Characters of what a sender gives as a reason."""
SAID_BY_TYPE = {"order.completed": "completed", "order.failed": "failed", "order.status_changed": ""}
"""The types that we know, each with the status that it means where its payload names none."""
STATUSES = frozenset(("pending", "processing", "completed", "failed", "cancelled"))
_IDS = UUID("0d9d1f0e-53ab-5d5c-8f4e-8b0b7f0c5a11")
"""What the ids of attempts are derived from."""


class _Payload(msgspec.Struct):
    """What an event says of its order. Another sender's fields may have any type."""

    status: object = ""
    reason: object = ""


_webhooks = msgspec.json.Decoder(Webhook)
_one = msgspec.json.Decoder(OneEvent)
_payloads = msgspec.json.Decoder(_Payload)


async def take_event(desk: Desk, command: BusCommand) -> Ending:
    """Do what an event asks for, unless it was here before."""
    event = _webhooks.decode(command.body)
    row = (event.source, event.event_id, event.order_id, event.type, bytes(event.payload))

    async def work(connection: Connection) -> Replied:
        if not await connection.fetchval(desk.queries["note_event"], *row):
            raise Refuse(409, "EVENT_ALREADY_PROCESSED", "This event was here before, and is done once.", action="none")
        return await _try(desk, connection, command, event, 1)

    return await once(desk, command, work)


async def retry_event(desk: Desk, command: BusCommand) -> Ending:
    """Try an event again whose order was not known."""
    own = _one.decode(command.body)

    async def work(connection: Connection) -> Replied:
        row = await connection.fetchrow(desk.queries["lock_event"], own.source, own.event_id)
        if row is None or row["state"] != "parked":
            return replied(None)
        event = Webhook(own.source, own.event_id, row["order_id"], row["type"], msgspec.Raw(row["payload"]))
        return await _try(desk, connection, command, event, row["attempts"] + 1)

    return await once(desk, command, work)


async def _try(desk: Desk, connection: Connection, command: BusCommand, event: Webhook, attempt: int) -> Replied:
    """Do an event that this transaction has locked, and note what became of it."""

    async def note(state: str, why: str = "") -> None:
        await connection.execute(desk.queries["tried_event"], event.source, event.event_id, state, why)

    status, reason = _said(event)
    if not status:
        await note("ignored", "its type, or the status that it tells of, changes nothing here")
        return _done("Events of this type, or with this status, change nothing here.")
    stale = await heed(connection, event.order_id, status, reason)
    if stale is not None:
        await note("processed")
        return _done("The event is processed.", stale=stale)
    why = "its order is not known"
    if attempt >= ATTEMPTS_MAX:
        about = {"source": event.source, "event_id": event.event_id, "upstream_id": event.order_id}
        desk.log.error("a webhook is given up", **about, attempts=attempt)
        await note("given_up", why)
        return Replied(404, problem=Problem("ORDER_NOT_FOUND", "There is still no order that this event could be of."))
    await note("parked", why)
    after_s = pause_s(attempt, PAUSE_FIRST_S, PAUSE_MAX_S)
    await tell(connection, "webhooks", _again(command, event, attempt), after_s=after_s)
    return _done("The order is not known yet. The event is kept, and is tried again.", status=202)


def _again(command: BusCommand, event: Webhook, attempt: int) -> BusCommand:
    """What tries an event once more, after so many attempts; each of them is another command."""
    return BusCommand(
        id=str(uuid5(_IDS, f"{event.source} {event.event_id} {attempt}")),
        kind="retry_event",
        body=msgspec.Raw(encode(OneEvent(event.source, event.event_id))),
        request_id=command.request_id,
        trace=command.trace,
    )


def _said(event: Webhook) -> tuple[str, str]:
    """The status that an event tells of, and why; no status where it tells nothing that we know.

    What the payload says counts before what the type means: it is the payload that is signed in either scheme.
    """
    if event.type not in SAID_BY_TYPE:
        return "", ""
    told = _payloads.decode(event.payload)
    status = told.status or SAID_BY_TYPE[event.type]
    if not isinstance(status, str) or status not in STATUSES:
        return "", ""
    reason = told.reason if isinstance(told.reason, str) else ""
    return status, "".join(filter(str.isprintable, reason))[:REASON_MAX]


def _done(message: str, *, status: int = 200, stale: tuple[str, ...] = ()) -> Replied:
    return replied({"success": True, "message": message}, status=status, stale=stale)


HANDLERS: dict[str, Handler] = {f"{G2A}_event": take_event, "retry_event": retry_event}
WEBHOOKS = Service("webhooks", HANDLERS)
