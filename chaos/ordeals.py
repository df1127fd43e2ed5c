"""Ordeals: short sales, each of which meets the one misfortune that a certain safeguard of the product is there for.

With all its safeguards the product comes out of every one without a fault; see `chaos.mutations` for the others. An
ordeal comes to its end whatever has been lost.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import psutil

import lua
from bench.books import open_books
from bench.history import Buyer, Order, latest, run_history
from bench.jobs import UNKNOWN
from bench.loopback import LOOPBACK
from bench.requests import order_key, request_bytes
from chaos import victims
from chaos.checker import OK, Cancelling, read_body
from chaos.faults.fsync_hang import fsync_hangs
from chaos.faults.signals import kill, sale_locked, still
from chaos.findings import Findings, find, open_sale, rows_at_rest
from chaos.house import KEYS, House, redis_of
from chaos.sale import Sale, eventually
from contract.order_ids import parse_order_id
from contract.transport import Stream

# Units of a sale, each of which finds a buyer.
STOCK = 200
FEW, MANY = 4, 60
# The share of requests that lose their connection right after they were sent.
CUT = 0.3
# Rounds in which buyers repeat what they do not know; by then the last of them has long been lucky.
ROUNDS_MAX = 30
# Under `everysec` an fsync begins every second, and Valkey goes on without it for two.
FSYNC_BEGINS_WITHIN_S = 3.0
# Orders in whose time a server that writes at all has written.
ORDERS_OF_A_LOOK = 20
# More than anybody can buy meanwhile.
INEXHAUSTIBLE = 100_000

# In a house it is unique by its number.
Ordeal = Callable[[House, int], Awaitable[Findings]]


async def valkey_dies_while_its_disk_hangs(house: House, number: int) -> Findings:
    """Orders are accepted, nothing of them is in the file, and the worker has had none of them."""
    sale = await open_sale(house, number, INEXHAUSTIBLE)
    valkey = victims.valkey(house.system)
    file = next((house.settings.data_dir / "valkey" / "appendonlydir").glob("*.incr.aof"))
    deadline = time.perf_counter() + FSYNC_BEGINS_WITHIN_S
    with still(victims.order_worker(house.system)), fsync_hangs(valkey[0]):
        while time.perf_counter() < deadline:
            written = file.stat().st_size
            await sale.crowd.buy_up(ORDERS_OF_A_LOOK, FEW)
            if file.stat().st_size == written:
                break
        await kill(valkey, "Valkey")
    return await find(sale)


async def worker_stands_still_in_a_crowd(house: House, number: int) -> Findings:
    """More orders wait in the outbox than a guess would have allowed for."""
    sale = await open_sale(house, number, STOCK)
    with still(victims.order_worker(house.system)):
        await sale.crowd.buy_up(STOCK, FEW)
    return await find(sale)


async def worker_dies_in_its_transaction(house: House, number: int) -> Findings:
    """It has read orders, and dies before the commit."""
    sale = await open_sale(house, number, STOCK)
    async with _worker_in_its_transaction(sale):
        await kill(victims.order_worker(house.system), "order worker")
    return await find(sale)


async def a_crowd_at_two_gateway_processes(house: House, number: int) -> Findings:
    """Both ask Valkey at the same moment, for many more buyers than units."""
    sale = await open_sale(house, number, STOCK)

    async def everybody_is(status: str) -> bool:
        processes = victims.gateway_processes(house.system)
        return len(processes) == house.settings.gateway_workers and all(
            any(end.laddr.port == house.port and end.status == status for end in process.net_connections("tcp"))
            for process in processes
        )

    await eventually(lambda: everybody_is(psutil.CONN_LISTEN), "all gateway processes listen")
    with still(victims.valkey(house.system)):
        buying = asyncio.create_task(sale.crowd.buy_up(4 * STOCK, MANY))
        await eventually(lambda: everybody_is(psutil.CONN_ESTABLISHED), "all gateway processes have buyers")
    await buying
    return await find(sale)


async def connections_are_cut(house: House, number: int, *, fresh_keys: bool = False) -> Findings:
    """Buyers repeat their order until they know what became of it, and then once more."""
    sale = await open_sale(house, number, INEXHAUSTIBLE)
    numbers = itertools.count()
    buying = [Order(order_key(number, next(numbers)), sale.product, f"buyer-{i}") for i in range(STOCK)]
    known: list[Order] = []
    for round_ in range(ROUNDS_MAX):
        outcomes = await run_history(_url(house), buying, MANY, cut=CUT, tries=1, seed=round_)
        sale.crowd.outcomes += outcomes
        known += [outcome.order for outcome in outcomes if outcome.status != UNKNOWN]
        buying = [outcome.order for outcome in outcomes if outcome.status == UNKNOWN]
        if fresh_keys:
            buying = [order._replace(key=order_key(number, next(numbers))) for order in buying]
    sale.crowd.outcomes += await run_history(_url(house), known, MANY)
    return await find(sale)


async def worker_and_valkey_die_between_commit_and_settlement(house: House, number: int) -> Findings:
    """The rows are there, and nobody who knows of it lives."""
    sale = await open_sale(house, number, STOCK)
    valkey = victims.valkey(house.system)
    async with contextlib.AsyncExitStack() as stack:
        async with _worker_in_its_transaction(sale):
            stack.enter_context(still(valkey))
        await eventually(sale.rows, "the worker has committed")
        await kill(victims.order_worker(house.system), "order worker")
        await kill(valkey, "Valkey")
    return await find(sale)


async def postgres_dies_behind_the_settlement(house: House, number: int) -> Findings:
    """The rows have been committed, and their entries deleted. What was not on disk by then never will be."""
    sale = await open_sale(house, number, STOCK)
    postmaster = victims.postmaster(house.system)
    writer = [process for process in postmaster[0].children() if "walwriter" in " ".join(process.cmdline())]
    with still(writer):
        await sale.crowd.buy_up(STOCK, MANY)
        await rows_at_rest(sale)
        await kill([*postmaster, *writer], "Postgres")
    return await find(sale)


async def group_is_deleted(house: House, number: int) -> Findings:
    """Somebody deletes the worker's group while orders wait for it."""
    sale = await open_sale(house, number, STOCK)
    async with redis_of(house) as redis:
        with still(victims.order_worker(house.system)):
            await sale.crowd.buy_up(STOCK, MANY)
            await redis.xgroup_destroy(KEYS.outbox, lua.GROUP_OF_ORDERS)
    return await find(sale)


async def a_command_is_dead_lettered_and_replayed(house: House, number: int) -> Findings:
    """Postgres refuses an order for good, and takes it after the operator has removed the cause."""
    sale = await open_sale(house, number, STOCK)
    async with open_books(house.settings) as connection:
        refused = f"product_id = '{sale.product}' AND user_id = 'buyer-{STOCK // 2}'"
        await connection.execute(f"ALTER TABLE orders ADD CONSTRAINT refused CHECK (NOT ({refused})) NOT VALID")
        await sale.crowd.buy_up(STOCK, MANY)
        await rows_at_rest(sale)
        await connection.execute("ALTER TABLE orders DROP CONSTRAINT refused")
    async with redis_of(house) as redis:
        for letter in await Stream(redis, KEYS.dead, lua.GROUP_OF_ORDERS, "").entries_until("+", STOCK):
            await lua.replay_dead(redis, KEYS, letter.entry_id)
    return await find(sale)


async def redis_forgets_the_keys(house: House, number: int) -> Findings:
    """All keys are used again after their records have lapsed: Postgres still knows them, and their units go back."""
    sale = await open_sale(house, number, STOCK)
    await sale.crowd.buy_up(STOCK // 2, MANY)
    found = [parse_order_id(row.order_id) for row in await rows_at_rest(sale)]
    async with redis_of(house) as redis:
        await redis.delete(*(KEYS.order(parts[1]) for parts in found if parts))
    orders = [outcome.order for outcome in latest(sale.crowd.outcomes).values()]
    # They are told of new orders here, which then fail. From then on their keys answer with the first ones.
    await run_history(_url(house), orders, MANY)
    await rows_at_rest(sale)
    sale.crowd.outcomes += await run_history(_url(house), orders, MANY)
    return await find(sale, failed_are_meant=True)


async def buyers_cancel_twice(house: House, number: int) -> Findings:
    """Some of those who have bought give it back, and then others come for what was given back."""
    sale = await open_sale(house, number, STOCK)
    await sale.crowd.buy_up(STOCK, MANY)
    bought = [outcome for outcome in latest(sale.crowd.outcomes).values() if outcome.status == OK]
    buyer, draw = Buyer(house.port), random.Random(number)
    for order_id in (read_body(outcome.body).orderId for outcome in bought[: STOCK // 10]):
        request = request_bytes("POST", f"/cancel/{order_id}", house.port)
        for _ in range(2):
            sale.crowd.cancellings.append(Cancelling(order_id, await buyer.insist(request, draw, 0.0)))
    buyer.leave()
    await sale.crowd.buy_up(STOCK, MANY)
    return await find(sale)


def _url(house: House) -> str:
    return f"http://{LOOPBACK}:{house.port}"


@contextlib.asynccontextmanager
async def _worker_in_its_transaction(sale: Sale) -> AsyncGenerator[None]:
    """Everything is sold, and inside the block the worker waits for a lock, with the first orders in its hands."""
    async with sale_locked(sale.house, sale.product) as worker_waits:
        await sale.crowd.buy_up(STOCK, MANY)
        await worker_waits()
        yield


ORDEALS = (
    valkey_dies_while_its_disk_hangs,
    worker_stands_still_in_a_crowd,
    worker_dies_in_its_transaction,
    a_crowd_at_two_gateway_processes,
    connections_are_cut,
    worker_and_valkey_die_between_commit_and_settlement,
    postgres_dies_behind_the_settlement,
    group_is_deleted,
    a_command_is_dead_lettered_and_replayed,
    redis_forgets_the_keys,
    buyers_cancel_twice,
)
