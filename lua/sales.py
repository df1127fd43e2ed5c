"""The callers of `open_sale.lua`, `cancel.lua` and `snapshot.lua`, and the plain reads about a lane."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple, cast

from lua.keys import SECRET, LaneKeys, product_digest
from lua.lanes import LanesDiffer, lanes_in_force
from lua.scripts import Client, call

OPEN_SALE_KEYS = ("sale", "stock", "buyers", "outbox", "figures", "sales", "lanes")
CANCEL_KEYS = ("outbox", "figures", "record", "sale", "stock", "buyers")
MARK_LOST_KEYS = ("sale", "stock", "sales", "lanes")
SNAPSHOT_KEYS = ("outbox", "sales")
SALES_SHOWN_MAX = 1000
PROOF_TTL_S = 300


class CancelStatus(IntEnum):
    """What `cancel.lua` says; the header of the script tells what each detail is."""

    CANCELLED = 1
    FORBIDDEN = 2
    ABSENT = 3


class SaleBooks(NamedTuple):
    """One sale as Redis has it at one instant; None where Redis has lost the key."""

    product_id: str
    epoch: int | None
    total: int | None
    accepted: int | None
    returned: int | None
    left: int | None


class Snapshot(NamedTuple):
    """All sales of a lane at the instant when `last_entry` was the newest in the outbox."""

    last_entry: str
    sales: list[SaleBooks]


class Figures(NamedTuple):
    """Running totals of a lane since its data exists, its backlog now, and its sales (product, left, total)."""

    accepted: int
    diverted: int
    sold_out: int
    replayed: int
    cancelled: int
    persisted: int
    failed: int
    backlog: int
    dead: int
    sales: list[tuple[str, int, int]]


async def open_sale(client: Client, keys: LaneKeys, product_id: str, total: int, limit: int) -> int:
    """Open a sale of `total` units, at most `limit` to one buyer (0: any number). Gives the new epoch.

    Raises LanesDiffer when the number of lanes was changed since this process has started.
    """
    sale, stock, buyers = keys.product(product_digest(product_id))
    every = [sale, stock, buyers, keys.outbox, keys.figures, keys.sales, keys.lanes]
    epoch = int(await call(client, "open_sale", every, [keys.events, keys.gates, product_id, total, limit, keys.count]))
    if not epoch:
        raise LanesDiffer(keys.count, await lanes_in_force(client) or keys.count)
    return epoch


async def cancel(
    client: Client, keys: LaneKeys, *, digest: str, order_id: str, product_id: str, quantity: int, buyer: str
) -> tuple[CancelStatus, Any]:
    """Cancel the order with this record. Gives the status and the detail that the script's header tells."""
    every = [keys.outbox, keys.figures, keys.order(digest), *keys.product(product_digest(product_id))]
    status, detail = await call(client, "cancel", every, [keys.events, keys.gates, order_id, quantity, buyer])
    return CancelStatus(status), detail


async def snapshot(client: Client, keys: LaneKeys) -> Snapshot:
    """The books of a lane at one instant."""
    names = [name.decode() for name in await cast(Any, client).hkeys(keys.sales)]
    every = [keys.outbox, keys.sales]
    for name in names:
        every += keys.product(product_digest(name))[:2]
    reply = await call(client, "snapshot", every, [len(names)])
    numbers = [int(value) if value else None for value in reply[1:]]
    sales = [SaleBooks(name, *numbers[5 * i : 5 * i + 5]) for i, name in enumerate(names)]
    return Snapshot(reply[0].decode(), sales)


async def mark_lost(client: Client, keys: LaneKeys, product_id: str, epoch: int, total: int) -> bool:
    """Note a sale that Redis has lost, so that it answers "not ready"; False when Redis knows it after all."""
    sale, stock, _ = keys.product(product_digest(product_id))
    arguments = [product_id, f"{epoch:016d}", total, keys.count]
    return bool(await call(client, "mark_lost", [sale, stock, keys.sales, keys.lanes], arguments))


async def read_figures(client: Client, keys: LaneKeys | None = None) -> Figures:
    """The running totals of a lane, for status lines and metrics; at most SALES_SHOWN_MAX sales."""
    keys = keys or LaneKeys(0)
    redis = cast(Any, client)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.figures).xlen(keys.dead).hkeys(keys.sales)
        totals, dead, names = await pipe.execute()
    names = [name.decode() for name in names[:SALES_SHOWN_MAX]]
    sales: list[tuple[str, int, int]] = []
    if names:
        async with redis.pipeline(transaction=False) as pipe:
            for name in names:
                sale, stock, _ = keys.product(product_digest(name))
                pipe.get(stock).hget(sale, "total")
            found = await pipe.execute()
        sales = [(name, int(found[2 * i] or 0), int(found[2 * i + 1] or 0)) for i, name in enumerate(names)]
    number = {name.decode(): int(value) for name, value in totals.items()}
    counted = {field: number.get(field, 0) for field in Figures._fields[:8]}
    return Figures(**counted, dead=dead, sales=sales)


def sum_figures(of_lanes: Iterable[Figures]) -> Figures:
    """The figures of all lanes together."""
    lanes = list(of_lanes)
    totals = [sum(numbers) for numbers in zip(*(lane[:-1] for lane in lanes), strict=True)]
    return Figures(*totals, sales=[sale for lane in lanes for sale in lane.sales])


async def oldest_order_s(client: Client, lanes: Iterable[LaneKeys]) -> float:
    """The age in seconds, by the clock of Redis, of the oldest command of a sale that no worker has settled; 0 where
    there is none."""
    now = await now_ms(client)
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        for keys in lanes:
            pipe.xrange(keys.outbox, count=1)
        found: list[list[tuple[bytes, Any]]] = await pipe.execute()
    since_ms = [int(entries[0][0].split(b"-")[0]) for entries in found if entries]
    return max(0, now - min(since_ms)) / 1000 if since_ms else 0.0


async def shared_secret(client: Client, candidate: bytes) -> bytes:
    """The secret that keys the digests of idempotency keys: the one in Redis, or `candidate` if there is none yet."""
    redis = cast(Any, client)
    await redis.set(SECRET, candidate, nx=True)
    return await redis.get(SECRET)


async def publish_proof(client: Client, keys: LaneKeys, proof: bytes) -> None:
    """Keep the latest reconciliation for whoever reads the metrics; it expires when nobody renews it."""
    await cast(Any, client).set(keys.proof, proof, ex=PROOF_TTL_S)


async def read_proof(client: Client, keys: LaneKeys) -> bytes | None:
    """The latest reconciliation, as JSON; None when there is none or it is old."""
    return await cast(Any, client).get(keys.proof)


async def read_stock(client: Client, keys: LaneKeys, product_id: str) -> int | None:
    """Units left of a product; None when there is no such sale."""
    left = await cast(Any, client).get(keys.product(product_digest(product_id))[1])
    return None if left is None else int(left)


async def now_ms(client: Client) -> int:
    """The time by the clock of Redis, in milliseconds since 1970."""
    seconds, micros = await cast(Any, client).time()
    return seconds * 1000 + micros // 1000


async def read_records(client: Client, keys: LaneKeys, digests: list[str]) -> list[bytes | None]:
    """The order records of these digests; None where there is none."""
    return await cast(Any, client).mget([keys.order(digest) for digest in digests]) if digests else []


async def restore_records(client: Client, keys: LaneKeys, records: dict[str, bytes], until_ms: int) -> None:
    """Keep order records (by digest) that have lapsed, until this time, milliseconds since 1970 by Redis's clock.

    One that exists meanwhile is younger, and stays as it is. When the time has passed, nothing is kept.
    """
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        # Whoever refuses from memory hears first that these keys have orders again.
        pipe.publish(keys.gates, b"a" + b"".join(record[1:37] for record in records.values()))
        for digest, record in records.items():
            pipe.set(keys.order(digest), record, nx=True, pxat=until_ms)
        await pipe.execute()
