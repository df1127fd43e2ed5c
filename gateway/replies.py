"""Commands out, replies back: one stream of replies for this process, one reader, a future for each that is awaited.

What is not answered in time goes on, and its reply is kept: whoever asked comes back for it with the command's id.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

import lua
from contract.bus import SERVICES, BusCommand, BusReply, decode_reply
from contract.errors import Overloaded
from contract.telemetry import get_logger
from contract.transport import REPLY_FIELD, Mailbox, find_reply
from gateway.redis_faults import as_not_ready

AWAITED_MAX = 256
"""Commands of one worker that this process may await at once: a slow worker holds so many requests and no more."""
COMMAND_WITHIN_S = 60.0
"""A command that has waited longer is answered and not run: who asked for it has gone."""

WAITING = b""
"""What is kept of a command that has no reply yet."""


class Replies:
    """The commands of one gateway process. `listener` is a client that may wait long for what it reads."""

    def __init__(self, redis: lua.Client, listener: lua.Client, waiting_max: int) -> None:
        self._redis = redis
        self._waiting_max = waiting_max
        self._mailbox = Mailbox(listener, lua.REPLIES_PREFIX, self._take)
        self._awaited: dict[str, asyncio.Future[BusReply]] = {}
        # Every figure is there from the beginning: whoever watches one must be able to tell none from nothing known.
        self._of_worker: Counter[str] = Counter(dict[str, int].fromkeys(SERVICES, 0))
        self._refused: Counter[tuple[str, str]] = Counter(
            {(worker, limit): 0 for worker in SERVICES for limit in ("awaited", "waiting")}
        )

    async def tell(self, worker: str, command: BusCommand) -> None:
        """Hand a command over that nobody waits for. Raises Overloaded, or NotReady when Redis is away."""
        with as_not_ready():
            if not await lua.submit(self._redis, worker, msgspec.json.encode(command), self._waiting_max):
                self._refuse(worker, "waiting")

    async def ask(self, worker: str, command: BusCommand, wait_s: float) -> BusReply | None:
        """Hand a command over and wait for its reply; None when it has not come in time, and will be kept.

        Raises Overloaded when too many wait for this worker, NotReady when Redis is away.
        """
        if self._of_worker[worker] >= AWAITED_MAX:
            self._refuse(worker, "awaited")
        self._mailbox.open()
        deadline_ms = int((time.time() + max(COMMAND_WITHIN_S, wait_s)) * 1000)
        command = msgspec.structs.replace(command, reply_to=self._mailbox.name, deadline_ms=deadline_ms)
        awaited = self._awaited[command.id] = asyncio.get_running_loop().create_future()
        self._of_worker[worker] += 1
        try:
            await self.tell(worker, command)
            async with asyncio.timeout(wait_s):
                return await awaited
        except TimeoutError:
            return None
        finally:
            self._of_worker[worker] -= 1
            self._awaited.pop(command.id, None)

    async def find(self, command_id: str) -> bytes | None:
        """The reply that is kept of a command; WAITING while there is none yet, None where nothing is known."""
        with as_not_ready():
            return await find_reply(self._redis, lua.reply_key(command_id))

    @property
    def awaited(self) -> dict[str, int]:
        """How many commands are awaited now, by worker."""
        return dict(self._of_worker)

    @property
    def refused(self) -> list[tuple[str, str, int]]:
        """How many commands were refused so far, by worker and limit: too many "awaited" here, or "waiting" there."""
        return [(worker, limit, count) for (worker, limit), count in self._refused.items()]

    async def close(self) -> None:
        """Stop reading replies."""
        await self._mailbox.close()
        await self._redis.aclose()

    def _refuse(self, worker: str, limit: str) -> NoReturn:
        self._refused[worker, limit] += 1
        raise Overloaded

    def _take(self, fields: Mapping[bytes, bytes]) -> None:
        try:
            reply = decode_reply(fields[REPLY_FIELD])
        except msgspec.MsgspecError as error:
            get_logger().error("a reply cannot be read", error=str(error))
            return
        awaited: Any = self._awaited.get(reply.id)
        if awaited is not None and not awaited.done():
            awaited.set_result(reply)
