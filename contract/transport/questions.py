"""Questions from a gateway process to a worker, and the answers back: for reads that no cache could give.

Commands must never be lost and live in outbox streams. A question may be: nobody waits for it longer than its
deadline, so its stream is capped, it is delivered once, and a worker drops what comes too late.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from contract.errors import NotReady, Overloaded
from contract.transport.mailbox import Mailbox
from contract.transport.redis_streams import Stream

QUESTIONS_MAX = 10_000
"""Entries of a stream of questions or answers; older ones have passed their deadline long ago."""
ASKING_MAX = 1_000
"""Questions of one process that may be open at once."""
ANSWERS_TTL_S = 60
BLOCK_MS = 1_000


class Question(NamedTuple):
    """One question as a worker gets it; `deadline` is seconds since 1970."""

    number: str
    answers: str
    deadline: float
    body: bytes

    @property
    def expired(self) -> bool:
        """True when nobody waits for the answer any more."""
        return time.time() > self.deadline


class Asker:
    """The questions of one process: one stream of answers, one reader, a future for each open question."""

    def __init__(self, client: Redis, listener: Redis, questions: str, answers_prefix: str, timeout_s: float) -> None:
        self._redis = cast(Any, client)
        self._questions = questions
        self._mailbox = Mailbox(listener, answers_prefix, self._take)
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)
        self._open: dict[str, asyncio.Future[bytes]] = {}

    async def ask(self, body: bytes) -> bytes:
        """The worker's answer. Raises NotReady when there is none in time, Overloaded when too many wait already."""
        if len(self._open) >= ASKING_MAX:
            raise Overloaded
        self._mailbox.open()
        number = str(next(self._numbers))
        answered = self._open[number] = asyncio.get_running_loop().create_future()
        fields = {
            "number": number,
            "answers": self._mailbox.name,
            "deadline": time.time() + self._timeout_s,
            "body": body,
        }
        try:
            await self._redis.xadd(self._questions, fields, maxlen=QUESTIONS_MAX, approximate=True)
            async with asyncio.timeout(self._timeout_s):
                return await answered
        except (RedisError, OSError, TimeoutError) as error:
            raise NotReady from error
        finally:
            self._open.pop(number, None)

    async def close(self) -> None:
        """Stop reading answers."""
        await self._mailbox.close()

    def _take(self, fields: Mapping[bytes, bytes]) -> None:
        answered = self._open.get(fields[b"number"].decode())
        if answered is not None and not answered.done():
            answered.set_result(fields[b"body"])


async def read_questions(client: Redis, stream: str, group: str, consumer: str, count: int) -> list[Question]:
    """Questions that nobody has had, at most `count`; waits for the first as long as BLOCK_MS."""
    redis = cast(Any, client)
    try:
        reply: list[Any] | None = await redis.xreadgroup(
            group, consumer, {stream: ">"}, count=count, block=BLOCK_MS, noack=True
        )
    except ResponseError as error:
        await Stream(client, stream, group, consumer).heal(error)
        return []
    return [_question(fields) for _, entries in reply or [] for _, fields in entries]


async def answer_questions(client: Redis, answers: list[tuple[Question, bytes]]) -> None:
    """Send answers back to who asked."""
    redis = cast(Any, client)
    async with redis.pipeline(transaction=False) as pipe:
        for question, body in answers:
            fields = {"number": question.number, "body": body}
            pipe.xadd(question.answers, fields, maxlen=QUESTIONS_MAX, approximate=True)
            pipe.expire(question.answers, ANSWERS_TTL_S)
        await pipe.execute()


def _question(fields: dict[bytes, bytes]) -> Question:
    number, answers = fields[b"number"].decode(), fields[b"answers"].decode()
    return Question(number, answers, float(fields[b"deadline"]), fields[b"body"])
