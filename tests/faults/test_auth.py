"""The auth worker while it is killed: everybody is registered once, gets his tokens, and gets his mail."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest

from bench.ports import free_port
from contract.bus import BusCommand, BusReply
from contract.settings import Settings
from contract.transport import open_redis
from gateway.replies import Replies
from tests.support.desk import open_desk
from tests.support.people import PASSWORD, ask, fresh_email, opened, sealed
from tests.support.postbox import SENDER, Postbox, listening
from tests.support.processes import running
from workers.auth import AUTH
from workers.service import Desk

pytestmark = [pytest.mark.slow, pytest.mark.fault]

PEOPLE = 24
KILL_AFTER = 6
"""Answers after which the worker is killed: others are in its hands then, and some are hashed."""
BACKLOG_MAX = 1000
WITHIN_S = 30.0


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The servers, with a mail server at a port where nobody listens yet."""
    url = f"smtp://127.0.0.1:{free_port()}"
    changed = msgspec.structs.replace(settings, smtp_url=url, mail_from=SENDER, lease_s=0.5)
    async with open_desk(changed, AUTH) as opened_desk:
        yield opened_desk


class Crowd:
    """Those who register, and wait for their answers."""

    def __init__(self, desk: Desk) -> None:
        self._replies = Replies(open_redis(desk.settings, connections=8), desk.redis, BACKLOG_MAX)
        self._told = asyncio.Condition()
        self.answered = 0

    async def ask(self, own: BusCommand) -> BusReply:
        """Ask, and wait."""
        reply = await self._replies.ask(AUTH.name, own, WITHIN_S)
        assert reply, "nobody answered"
        async with self._told:
            self.answered += 1
            self._told.notify_all()
        return reply

    async def heard(self, count: int) -> None:
        """Wait until so many know."""
        async with self._told, asyncio.timeout(WITHIN_S):
            await self._told.wait_for(lambda: self.answered >= count)

    async def close(self) -> None:
        """Leave."""
        await self._replies.close()


async def test_everybody_is_registered_once_though_the_worker_is_killed_at_it(desk: Desk) -> None:
    pairs = [sealed(desk, "register", {"email": fresh_email(), "password": PASSWORD}) for _ in range(PEOPLE)]
    async with contextlib.AsyncExitStack() as stack:
        crowd = Crowd(desk)
        stack.push_async_callback(crowd.close)
        first = await stack.enter_async_context(running(desk.settings, "worker", "auth"))
        asking = asyncio.gather(*(crowd.ask(own) for own, _ in pairs))
        await crowd.heard(KILL_AFTER)
        first.send_signal(signal.SIGKILL)
        await first.wait()
        assert crowd.answered < PEOPLE
        await stack.enter_async_context(running(desk.settings, "worker", "auth"))
        answers = [opened(reply, key) for reply, (_, key) in zip(await asking, pairs, strict=True)]
    assert Counter(answer.status for answer in answers) == {201: PEOPLE}
    ids = [answer.data["user"]["id"] for answer in answers]
    made = await desk.pool.fetch("SELECT user_id FROM logins WHERE user_id = ANY($1)", ids)
    assert Counter(row["user_id"] for row in made) == dict.fromkeys(ids, 1)
    # The answers that were lost with the first worker hold tokens that are good.
    for answer in answers:
        assert (await ask(desk, "refresh", refreshToken=answer.data["refreshToken"])).status == 200


async def test_everybody_gets_one_mail_by_the_outbox_though_the_server_was_busy_at_first(desk: Desk) -> None:
    emails = [fresh_email() for _ in range(4)]
    answers = [await ask(desk, "register", email=email, password=PASSWORD) for email in emails]
    assert [answer.status for answer in answers] == [201] * 4
    rows = await desk.pool.fetch("SELECT command_id FROM outbox WHERE worker = 'auth'")
    waiting = {UUID(str(row["command_id"])) for row in rows}
    postbox = Postbox(at_rcpt=("451 4.7.1 come back later",) * 2)
    async with running(desk.settings, "worker", "auth"), running(desk.settings, "reaper"):
        with listening(postbox, int(desk.settings.smtp_url.rpartition(":")[2])):
            assert await asyncio.to_thread(postbox.took, 4, WITHIN_S)
    assert Counter(postbox.recipients) == dict.fromkeys(emails, 1)
    sent = {UUID(mail["Message-ID"].strip("<>").partition("@")[0]) for mail in postbox.mails}
    assert sent <= waiting
    assert len(sent) == 4
