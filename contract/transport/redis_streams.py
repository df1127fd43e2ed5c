"""A Redis stream with one consumer group: at least once, never trimmed, deleted only when it is settled."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

CLAIM_BATCH = 64


class Delivery(NamedTuple):
    """One entry for this consumer: its id, its fields, and how often it has been delivered before."""

    entry_id: str
    fields: Mapping[bytes, bytes]
    deliveries: int


class Stream:
    """One stream as one consumer of one group sees it. What it has read stays pending until it is settled."""

    def __init__(self, client: Redis, name: str, group: str, consumer: str) -> None:
        self._redis = cast(Any, client)
        self.name = name
        self.group = group
        self.consumer = consumer

    async def ensure_group(self) -> None:
        """Create stream and group where they are missing, from the beginning: `$` would skip what already waits."""
        try:
            await self._redis.xgroup_create(self.name, self.group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def read(self, count: int, block_ms: int) -> list[Delivery]:
        """Entries that nobody has had yet, at most `count`; waits up to `block_ms` for the first."""
        try:
            reply: list[Any] | None = await self._redis.xreadgroup(
                self.group, self.consumer, {self.name: ">"}, count=count, block=block_ms
            )
        except ResponseError as error:
            await self.heal(error)
            return []
        return [Delivery(entry_id.decode(), fields, 1) for _, entries in reply or [] for entry_id, fields in entries]

    async def read_again(self, count: int) -> list[Delivery]:
        """Entries that this consumer has been given and not settled, oldest first: a read may break after Redis has
        noted its entries as delivered, and before they arrive."""
        try:
            reply: list[Any] | None = await self._redis.xreadgroup(
                self.group, self.consumer, {self.name: "0"}, count=count
            )
        except ResponseError as error:
            await self.heal(error)
            return []
        entries = [(entry_id.decode(), fields) for _, found in reply or [] for entry_id, fields in found]
        return await self._with_counts([Delivery(entry_id, fields, 1) for entry_id, fields in entries if fields])

    async def claim(self, idle_ms: int) -> list[Delivery]:
        """Entries whose consumer has held them for `idle_ms` without settling them; they are ours from now on."""
        claimed: list[Delivery] = []
        cursor: bytes | str = "0-0"
        while True:
            try:
                cursor, entries, deleted = await self._redis.xautoclaim(
                    self.name, self.group, self.consumer, idle_ms, start_id=cursor, count=CLAIM_BATCH
                )
            except ResponseError as error:
                await self.heal(error)
                return []
            if deleted:
                raise LostEntries(
                    f"{len(deleted)} pending entries of {self.name} were deleted by someone else: {deleted[:5]}"
                )
            claimed += [Delivery(entry_id.decode(), fields, 1) for entry_id, fields in entries]
            if cursor == b"0-0" or len(claimed) >= CLAIM_BATCH:
                return await self._with_counts(claimed)

    async def entries_until(self, last: str, count: int, after: str = "") -> list[Delivery]:
        """Entries in order, up to the id `last`, at most `count`, beginning behind the id `after`."""
        start = f"({after}" if after else "-"
        reply = await self._redis.xrange(self.name, start, last, count=count)
        return [Delivery(entry_id.decode(), fields, 0) for entry_id, fields in reply]

    async def delete(self, entry_id: str) -> None:
        """Delete an entry for good, whoever waits for it."""
        await self._redis.xdel(self.name, entry_id)

    async def heal(self, error: ResponseError) -> None:
        """Someone deleted the group or the data: begin again from the start; rows that exist are recognised."""
        if not str(error).startswith("NOGROUP"):
            raise error
        await self.ensure_group()

    async def _with_counts(self, claimed: list[Delivery]) -> list[Delivery]:
        if not claimed:
            return claimed
        async with self._redis.pipeline(transaction=False) as pipe:
            # One by one, because any number that this consumer holds may lie between two of them.
            for delivery in claimed:
                pipe.xpending_range(self.name, self.group, delivery.entry_id, delivery.entry_id, count=1)
            found = await pipe.execute(raise_on_error=False)
        for rows in found:
            if isinstance(rows, ResponseError):
                # The group went meanwhile: what it had given us will be given anew.
                await self.heal(rows)
                return []
        return [
            delivery._replace(deliveries=rows[0]["times_delivered"] if rows else 1)
            for delivery, rows in zip(claimed, found, strict=True)
        ]


class LostEntries(Exception):
    """Entries vanished from a stream before they were settled: data has been lost, and someone must know."""
