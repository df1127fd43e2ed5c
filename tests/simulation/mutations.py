"""Faults that the simulation has to find: each makes one part of the system careless, and nothing else."""

import contextlib
from collections.abc import Callable
from functools import partial

from redis.exceptions import ResponseError

import lua
from contract.transport import Delivery, Stream
from lua.scripts import script_sha
from tests.simulation import redis_scripts
from tests.simulation.world import World
from workers import orders
from workers.worker import Context, Done, Outcome, Placed, Retry

OUTBOX_MAX = 3
"""Entries that a trimmed outbox keeps."""


def acknowledges_before_the_commit(world: World) -> None:
    async def handle(context: Context, placed: list[Placed]) -> list[Outcome]:
        entries = [(f"{item.ms}-{item.seq}", 1) for item in placed]
        group, ttl_s = world.worker.group, context.settings.idempotency_ttl_s
        await lua.settle(context.redis, context.keys, group=group, ttl_s=ttl_s, entries=entries, outcomes=[], dead=[])
        return await orders.handle(context, placed)

    world.worker = world.worker._replace(handle=handle)


def takes_what_came_too_early_for_done(world: World) -> None:
    async def handle(context: Context, placed: list[Placed]) -> list[Outcome]:
        outcomes = await orders.handle(context, placed)
        return [Done() if isinstance(outcome, Retry) else outcome for outcome in outcomes]

    world.worker = world.worker._replace(handle=handle)


def claims_without_waiting_for_the_lease(world: World) -> None:
    class Hasty(Stream):
        """Takes everything that anybody holds."""

        async def claim(self, idle_ms: int) -> list[Delivery]:
            return await super().claim(0)

    world.stream = Hasty


def begins_a_new_group_at_the_end(world: World) -> None:
    class Forgetful(Stream):
        """Skips what waits."""

        async def ensure_group(self) -> None:
            with contextlib.suppress(ResponseError):
                await self._redis.xgroup_create(self.name, self.group, id="$", mkstream=True)

    world.stream = Forgetful


def gives_units_back_with_every_settling(world: World) -> None:
    world.scripts[script_sha("settle")] = partial(redis_scripts.settle, fenced=False)


def trims_the_outbox(world: World) -> None:
    world.redis.maxlen = OUTBOX_MAX


def writes_without_a_transaction(world: World) -> None:
    world.postgres.transactional = False


def inserts_without_on_conflict(world: World) -> None:
    world.postgres.conflicts_are_left_alone = False


def lets_a_key_order_twice(world: World) -> None:
    world.postgres.one_order_per_key = False


def reads_sales_without_locking_them(world: World) -> None:
    world.postgres.locks_hold = False


MUTATIONS: tuple[Callable[[World], None], ...] = (
    acknowledges_before_the_commit,
    takes_what_came_too_early_for_done,
    claims_without_waiting_for_the_lease,
    begins_a_new_group_at_the_end,
    gives_units_back_with_every_settling,
    trims_the_outbox,
    writes_without_a_transaction,
    inserts_without_on_conflict,
    lets_a_key_order_twice,
    reads_sales_without_locking_them,
)
