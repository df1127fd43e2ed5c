"""Webhook events: each is done once, with all that follows from it or with none of it, and none is lost."""

from asyncio import Event, gather
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import lua
from contract.bus import BusCommand, BusReply, decode_command, decode_reply
from contract.settings import Settings
from contract.telemetry import get_logger
from contract.transport import Stream, find_reply
from tests.support.buyers import balance_of
from tests.support.cache import fill
from tests.support.desk import command, deliver, handled, open_desk, read, serving
from tests.support.store import new_id
from tests.support.webhooks import COMPLETED, FAILED, buy, kept, know, status_of
from workers import bus, webhooks
from workers.schedules import EVENT_DAYS, forget_events
from workers.service import Desk
from workers.webhooks import ATTEMPTS_MAX, PAUSE_FIRST_S, WEBHOOKS
from workers.worker import Context

WAITING = "SELECT command, extract(epoch FROM due_at - now())::float AS due_in_s FROM outbox WHERE worker = $1"
COLLECTS = "SELECT count(*) FROM outbox WHERE worker = 'g2a' AND position('collect'::bytea IN command) > 0"


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    async with open_desk(settings, WEBHOOKS) as opened:
        await opened.pool.execute("DELETE FROM outbox")
        yield opened


def told(order_id: str, payload: str = COMPLETED, event_id: str = "", kind: str = "order.status_changed") -> Any:
    own = {"source": "g2a", "eventId": event_id or new_id("event"), "orderId": order_id, "type": kind}
    return {**own, "payload": msgspec.Raw(payload.encode())}


async def take(desk: Desk, *given: Any, **more: Any) -> BusReply:
    return await handled(desk, WEBHOOKS, "g2a_event", told(*given, **more))


async def state_of(desk: Desk, event_id: str) -> tuple[str, int]:
    row = await kept(desk, event_id)
    assert row is not None
    assert (row["settled_at"] is None) == (row["state"] == "parked")
    return row["state"], row["attempts"]


async def waiting(desk: Desk) -> tuple[BusCommand, float]:
    (row,) = await desk.pool.fetch(WAITING, "webhooks")
    return decode_command(row["command"]), row["due_in_s"]


async def retry(desk: Desk) -> BusReply:
    """Do what waits in the outbox, as if its time had come."""
    again, _ = await waiting(desk)
    await desk.pool.execute("DELETE FROM outbox WHERE worker = 'webhooks'")
    # With somebody to wait for it, its reply is kept and can be read.
    return await deliver(desk, WEBHOOKS, msgspec.structs.replace(again, reply_to=command("any").reply_to))


async def test_an_order_that_is_completed_has_its_keys_fetched(desk: Desk) -> None:
    bought = await buy(desk)
    reply = await take(desk, bought.upstream_id, COMPLETED, "e-" + bought.order_id)
    assert (reply.status, msgspec.json.decode(reply.data)["success"]) == (200, True)
    assert await state_of(desk, "e-" + bought.order_id) == ("processed", 1)
    assert await desk.pool.fetchval(COLLECTS) == 1


@pytest.mark.parametrize("payload", [FAILED, '{"status":"cancelled"}'])
async def test_an_order_that_has_failed_is_paid_back_once_and_its_caches_go(desk: Desk, payload: str) -> None:
    bought = await buy(desk)
    name = f"order:{bought.order_id}"
    await fill(desk.redis, name)
    for _ in range(2):
        assert (await take(desk, bought.upstream_id, payload)).status == 200
    assert await status_of(desk, bought) == "REFUNDED"
    assert await balance_of(desk, bought.user_id) == Decimal("100.00")
    assert (await lua.read_cached(desk.redis, name)).value is None


async def test_a_type_means_its_status_where_the_payload_names_none_and_the_payload_counts_before_it(
    desk: Desk,
) -> None:
    by_type, by_payload = await buy(desk), await buy(desk)
    assert (await take(desk, by_type.upstream_id, "{}", kind="order.failed")).status == 200
    assert await status_of(desk, by_type) == "REFUNDED"
    assert (await take(desk, by_payload.upstream_id, '{"status":"pending"}', kind="order.failed")).status == 200
    assert await status_of(desk, by_payload) == "PROCESSING"


async def test_what_comes_late_takes_nothing_back(desk: Desk) -> None:
    bought = await buy(desk)
    for status in ("failed", "processing", "pending", "completed"):
        assert (await take(desk, bought.upstream_id, f'{{"status":"{status}"}}')).status == 200
    assert await status_of(desk, bought) == "REFUNDED"
    assert await balance_of(desk, bought.user_id) == Decimal("100.00")


async def test_an_event_that_was_here_before_is_a_409_whatever_became_of_it(desk: Desk) -> None:
    bought = await buy(desk)
    cases = [(bought.upstream_id, COMPLETED, 200), (new_id("order"), COMPLETED, 202), (bought.upstream_id, "{}", 200)]
    for order_id, payload, status in cases:
        event_id = new_id("event")
        assert (await take(desk, order_id, payload, event_id)).status == status
        for other in (order_id, bought.upstream_id):
            again = await take(desk, other, FAILED, event_id)
            assert again.status == 409
            assert again.problem is not None
            assert again.problem.code == "EVENT_ALREADY_PROCESSED"
    assert await status_of(desk, bought) == "PROCESSING"


async def test_of_twenty_copies_at_once_one_is_done(desk: Desk) -> None:
    bought, event_id = await buy(desk), new_id("event")
    body = told(bought.upstream_id, FAILED, event_id)
    async with serving(desk, WEBHOOKS, count=2) as ask:
        replies = await gather(*(ask(command("g2a_event", body)) for _ in range(20)))
    assert Counter(reply.status for reply in replies) == {200: 1, 409: 19}
    assert await balance_of(desk, bought.user_id) == Decimal("100.00")


async def test_a_worker_that_dies_after_its_commit_answers_the_same_when_the_command_comes_back(desk: Desk) -> None:
    bought, own = await buy(desk), command("g2a_event", told("", FAILED))
    own = msgspec.structs.replace(own, body=msgspec.Raw(msgspec.json.encode(told(bought.upstream_id, FAILED))))
    assert await lua.submit(desk.redis, WEBHOOKS.name, msgspec.json.encode(own), 100)
    (delivery,) = await read(desk, WEBHOOKS, consumer="dies")
    first = await webhooks.take_event(desk, own)
    assert isinstance(first, bus.Replied)
    stream = Stream(desk.redis, lua.commands_key(WEBHOOKS.name), WEBHOOKS.name, "lives")
    await bus.run_once(desk, WEBHOOKS, stream, delivery, Event())
    reply = decode_reply(await find_reply(desk.redis, lua.reply_key(own.id)) or b"")
    assert (reply.status, reply.data) == (200, first.data)
    assert await balance_of(desk, bought.user_id) == Decimal("100.00")


async def test_what_follows_from_an_event_is_written_with_it_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought, event_id = await buy(desk), new_id("event")
    heed = webhooks.heed

    async def broken(*args: Any) -> Any:
        await heed(*args)
        raise RuntimeError("between the ledger and the commit")

    monkeypatch.setattr(webhooks, "heed", broken)
    assert (await take(desk, bought.upstream_id, FAILED, event_id)).status == 500
    assert await kept(desk, event_id) is None
    assert await status_of(desk, bought) == "PROCESSING"
    monkeypatch.undo()
    assert (await take(desk, bought.upstream_id, FAILED, event_id)).status == 200
    assert await status_of(desk, bought) == "REFUNDED"


async def test_an_event_that_is_faster_than_our_own_commit_is_done_when_the_order_is_known(desk: Desk) -> None:
    bought, event_id = await buy(desk), new_id("event")
    late = bought._replace(upstream_id=new_id("order"))
    reply = await take(desk, late.upstream_id, FAILED, event_id)
    assert (reply.status, msgspec.json.decode(reply.data)["success"]) == (202, True)
    assert await state_of(desk, event_id) == ("parked", 1)
    again, due_in_s = await waiting(desk)
    assert due_in_s == pytest.approx(PAUSE_FIRST_S, abs=1)
    await desk.pool.execute("DELETE FROM g2a_purchases WHERE order_id = $1", bought.order_id)
    await know(desk, late)
    assert (await retry(desk)).status == 200
    assert await state_of(desk, event_id) == ("processed", 2)
    assert await status_of(desk, bought) == "REFUNDED"
    # The same attempt, delivered once more, and one that was left over, find it done.
    for own in (again.id, command("any").id):
        leftover = msgspec.structs.replace(again, id=own, reply_to=command("any").reply_to)
        assert (await deliver(desk, WEBHOOKS, leftover)).status == 200
    assert await state_of(desk, event_id) == ("processed", 2)


async def test_an_event_of_an_order_that_never_comes_is_given_up_after_longer_and_longer_pauses(desk: Desk) -> None:
    event_id = new_id("event")
    assert (await take(desk, new_id("order"), COMPLETED, event_id)).status == 202
    pauses: list[float] = []
    for attempt in range(2, ATTEMPTS_MAX + 1):
        pauses.append((await waiting(desk))[1])
        assert (await retry(desk)).status == (202 if attempt < ATTEMPTS_MAX else 404)
    assert pauses == sorted(pauses)
    assert 3_000 < sum(pauses) < 7_200
    assert await state_of(desk, event_id) == ("given_up", ATTEMPTS_MAX)
    assert await desk.pool.fetch(WAITING, "webhooks") == []
    assert (await take(desk, new_id("order"), COMPLETED, event_id)).status == 409


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("order.shipped", COMPLETED),
        ("order.status_changed", "{}"),
        ("order.status_changed", '{"status":"exploded"}'),
        ("order.status_changed", '{"status":["completed"]}'),
        ("order.completed", '{"status":"\\u0000","huge":1e400000,"deep":{"a":[null]}}'),
    ],
)
async def test_what_tells_nothing_that_we_know_is_kept_and_taken_so_that_its_sender_stops(
    desk: Desk, kind: str, payload: str
) -> None:
    bought, event_id = await buy(desk), new_id("event")
    assert (await take(desk, bought.upstream_id, payload, event_id, kind)).status == 200
    assert await state_of(desk, event_id) == ("ignored", 1)
    row = await kept(desk, event_id)
    assert row is not None
    assert (row["payload"], row["type"], row["order_id"]) == (payload.encode(), kind, bought.upstream_id)
    assert await status_of(desk, bought) == "PROCESSING"


async def test_a_reason_that_no_table_could_hold_is_made_one_that_it_can(desk: Desk) -> None:
    bought = await buy(desk)
    reason = '"\\u0000\\ud83d\\ude00\\u001b[31m' + "x" * 5_000 + '"'
    assert (await take(desk, bought.upstream_id, f'{{"status":"failed","reason":{reason}}}')).status == 200
    assert await status_of(desk, bought) == "REFUNDED"


async def test_events_are_forgotten_when_nobody_argues_about_them_any_more(desk: Desk) -> None:
    parked, old, young = (new_id("event") for _ in range(3))
    assert (await take(desk, new_id("order"), COMPLETED, parked)).status == 202
    for event_id in (old, young):
        assert (await take(desk, new_id("order"), "{}", event_id)).status == 200
    age = "UPDATE webhook_events SET received_at = now() - make_interval(days => $2) WHERE event_id = $1"
    for event_id in (parked, old):
        await desk.pool.execute(age, event_id, EVENT_DAYS + 1)
    await desk.pool.execute("UPDATE webhook_events SET settled_at = received_at WHERE event_id = $1", old)
    await forget_events(Context(desk.settings, desk.redis, desk.pool, lua.LaneKeys(0), desk.queries, get_logger()))
    assert [await kept(desk, event_id) is None for event_id in (parked, old, young)] == [False, True, False]
