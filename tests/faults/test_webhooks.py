"""Webhooks while their worker is away or is killed: what is signed is done once, and its sender is never misled."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest

from chaos.waiting import until
from contract.settings import Settings
from tests.support.buyers import balance_of
from tests.support.desk import open_desk
from tests.support.processes import running, running_gateway
from tests.support.refusals import code
from tests.support.webhooks import FAILED, Bought, Event, buy, event, kept, post_event, status_of
from workers.service import Desk
from workers.webhooks import WEBHOOKS

pytestmark = [pytest.mark.slow, pytest.mark.fault]

EVENTS = 40
SENDERS = 8
KILL_AFTER = (8, 20)
"""Events that are done, after which the worker is killed; most are yet to come, and some are in its hands."""
AGAIN_S = 0.05
DONE = "SELECT count(*) FROM webhook_events WHERE state = 'processed' AND order_id = ANY($1::text[])"


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """A gateway that has no worker yet, and that soon gives up waiting for one."""
    impatient = msgspec.structs.replace(settings, ask_timeout_s=1, lease_s=1)
    async with running_gateway(impatient) as served, open_desk(served, WEBHOOKS) as opened:
        yield opened


async def send_until_done(desk: Desk, told: Event) -> int:
    """Send an event as G2A does: again, until it is taken. Gives the status that ended it."""
    while True:
        answer = await post_event(desk.settings.port, told)
        if answer.status < 500:
            return answer.status
        assert code(answer, 503) in ("SERVICE_UNAVAILABLE", "DATABASE_UNAVAILABLE")
        # Nobody tells a sender when to come back but Retry-After, which is longer than a test should be.
        await asyncio.sleep(AGAIN_S)


async def test_what_is_sent_while_the_worker_is_away_is_not_promised_and_is_done_once_when_it_is_back(
    desk: Desk,
) -> None:
    bought = await buy(desk)
    told = event(bought.upstream_id, payload=FAILED)
    for _ in range(2):
        assert code(await post_event(desk.settings.port, told), 503) == "SERVICE_UNAVAILABLE"
    assert await kept(desk, told.event_id) is None
    async with running(desk.settings, "worker", "webhooks"):
        assert await send_until_done(desk, told) in (200, 409)
        assert code(await post_event(desk.settings.port, told), 409) == "EVENT_ALREADY_PROCESSED"
    assert await status_of(desk, bought) == "REFUNDED"
    assert await balance_of(desk, bought.user_id) == Decimal("100.00")


async def test_a_worker_that_is_killed_again_and_again_loses_no_event_and_does_none_twice(desk: Desk) -> None:
    orders: list[Bought] = [await buy(desk) for _ in range(EVENTS)]
    events = [event(bought.upstream_id, payload=FAILED) for bought in orders]
    waiting = iter(events)

    async def sender() -> list[int]:
        return [await send_until_done(desk, told) for told in waiting]

    senders = [asyncio.create_task(sender()) for _ in range(SENDERS)]
    for done in KILL_AFTER:
        async with running(desk.settings, "worker", "webhooks") as worker:

            async def come_so_far(done: int = done) -> bool:
                return await desk.pool.fetchval(DONE, [bought.upstream_id for bought in orders]) >= done

            await until(come_so_far)
            assert any(not task.done() for task in senders), "it was killed when there was nothing left to do"
            worker.kill()
            await worker.wait()
    async with running(desk.settings, "worker", "webhooks"):
        answers = [status for statuses in await asyncio.gather(*senders) for status in statuses]
    assert len(answers) == EVENTS
    assert set(answers) <= {200, 409}
    for bought in orders:
        assert await status_of(desk, bought) == "REFUNDED"
        assert await balance_of(desk, bought.user_id) == Decimal("100.00")
    for told in events:
        row = await kept(desk, told.event_id)
        assert row is not None
        assert (row["state"], row["attempts"]) == ("processed", 1)
