"""Faults by somebody who meddles with Redis or Postgres while a sale runs, as another program or a slip would."""

import time

import lua
from bench.books import open_books
from chaos.fault import Fault, Scene, Struck
from chaos.house import KEYS, redis_of
from chaos.sale import eventually

# How often something is done to Redis in one fault, so that it meets several batches.
TIMES = 5
# Entries that no worker can make sense of: nothing known in it, a command cut short, bytes that are no text.
POISON: list[dict[str, str | bytes]] = [
    {"hello": "world"},
    {"kind": "orders", "at": "yesterday", "not-an-id": "not an order"},
    {"kind": "orders", "at": "1795000000000000", "01a1fe9a-dc58-7000-9bd8-09ba284443b6": b"\xff\xfe\x00"},
]


async def _flush_scripts(scene: Scene) -> Struck:
    at = time.perf_counter()
    async with redis_of(scene.house) as redis:
        for _ in range(TIMES):
            await redis.script_flush("SYNC")
    return Struck(at, time.perf_counter())


async def _delete_group(scene: Scene) -> Struck:
    at = time.perf_counter()
    async with redis_of(scene.house) as redis:
        for _ in range(TIMES):
            await redis.xgroup_destroy(KEYS.outbox, lua.GROUP_OF_ORDERS)
    return Struck(at, time.perf_counter())


async def _poison(scene: Scene) -> Struck:
    async with redis_of(scene.house) as redis:
        parked = await redis.xlen(KEYS.dead)
        at = time.perf_counter()
        for entry in POISON:
            await redis.xadd(KEYS.outbox, entry)

        async def all_parked() -> bool:
            return await redis.xlen(KEYS.dead) >= parked + len(POISON)

        await eventually(all_parked, "the poison has been dead-lettered")
    return Struck(at, time.perf_counter())


async def _end_sessions(scene: Scene) -> Struck:
    at = time.perf_counter()
    async with open_books(scene.house.settings) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'fluxgate %' AND pid <> pg_backend_pid()"
        )
    return Struck(at, time.perf_counter())


async def _drop_connections(scene: Scene) -> Struck:
    at = time.perf_counter()
    async with redis_of(scene.house) as redis:
        for _ in range(TIMES):
            await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    return Struck(at, time.perf_counter())


MEDDLED = [
    Fault("script cache flushed", _flush_scripts),
    Fault("consumer group deleted", _delete_group),
    Fault("poison in the outbox", _poison, allowed=("dead-lettered",)),
    Fault("sessions of Postgres ended", _end_sessions),
    Fault("connections of Valkey dropped", _drop_connections),
]
