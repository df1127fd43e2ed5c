"""What has to be true of a simulated world that has come to rest; each complaint is a sentence."""

from collections import defaultdict
from collections.abc import Iterator

from lua.keys import product_digest
from tests.lua.lane import read_record
from tests.simulation.crowd import PRODUCTS
from tests.simulation.postgres_model import Row
from tests.simulation.redis_model import Fields, Stream
from tests.simulation.world import GAME, USERS, World
from workers.books import Books
from workers.orders import DUPLICATE
from workers.proof import prove

LIVE = ("persisted", "fulfilled")
STATES_OF_ROWS = {"persisted": ("persisted",), "cancelled": ("cancelled", "failed"), "failed": ("failed",)}
"""By the state of a record: a failed order that its buyer cancelled meanwhile has given its units back that way."""


async def judge(world: World) -> list[str]:
    """What is wrong."""
    found = [*_outbox(world), *_rows(world), *_handed(world), *_stocks(world), *_records(world)]
    return found + [f"books of {book.product_id}/{book.epoch}: {fault}" for book, fault in await faults(world)]


async def faults(world: World) -> list[tuple[Books, str]]:
    """What the proof says at this instant, other than of sales that only poison names."""
    books = await prove(world.outside)
    return [(book, book.fault) for book in books if book.fault and book.product_id in PRODUCTS]


def is_sound(world: World, corpse: Fields) -> bool:
    """Whether a dead command is one of ours, and not poison."""
    name = corpse[b"name"].decode(errors="replace")
    if corpse[b"kind"] == b"opened":
        return corpse[b"value"].count(b":") == 6
    return name in world.redis.history.accepted


def dead(world: World) -> Stream:
    """The dead letters."""
    return world.redis.stream(world.keys.dead) or Stream()


def _outbox(world: World) -> Iterator[str]:
    stream = world.redis.stream(world.keys.outbox) or Stream()
    if stream.entries:
        yield f"{len(stream.entries)} entries were never settled"
    for name, group in stream.groups.items():
        if group.pending:
            yield f"{len(group.pending)} entries are pending in {name}"
    figures = world.redis.fields(world.keys.figures)
    if int(figures.get(b"backlog", 0)):
        yield f"the backlog is {figures[b'backlog']!r}, and nothing waits"
    for corpse in dead(world).entries.values():
        if is_sound(world, corpse):
            yield f"{corpse[b'name']!r} is among the dead: {corpse[b'reason']!r}"


def _rows(world: World) -> Iterator[str]:
    history = world.redis.history
    rows = {row["order_id"]: row for row in world.postgres.table("order")}
    for order_id in rows.keys() - history.accepted.keys():
        yield f"{order_id} has a row and was never accepted"
    holders: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows.values():
        if row["state"] != "failed":
            holders[row["user_id"], row["idempotency_key"]].append(row["order_id"])
    for (user, key), ids in holders.items():
        if len(ids) > 1:
            yield f"the key {key} of {user} has ordered {len(ids)} times: {ids}"
    for order_id, (order, epoch) in history.accepted.items():
        row = rows.get(order_id)
        if row is None:
            yield f"{order_id} was accepted and has no row"
            continue
        told = (row["product_id"], row["epoch"], row["user_id"], row["quantity"], row["idempotency_key"])
        if told != (order.product_id, epoch, order.user_id, order.quantity, order.idempotency_key):
            yield f"{order_id} has a row of another order: {row}"
        yield from _state(world, row, holders[order.user_id, order.idempotency_key])


def _state(world: World, row: Row, holders: list[str]) -> Iterator[str]:
    order_id, state = row["order_id"], row["state"]
    cancelled = order_id in world.redis.history.cancelled
    if state == "failed":
        if row["reason"] != DUPLICATE:
            yield f"{order_id} failed: {row['reason']}"
        elif not holders:
            yield f"{order_id} failed as the second of its key, and there is no first"
    elif state != ("cancelled" if cancelled else "persisted"):
        yield f"{order_id} is {state}, but was {'cancelled' if cancelled else 'never cancelled'}"


def _handed(world: World) -> Iterator[str]:
    """An order of a known game and user was handed over when it was live, and returned when it was cancelled after."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for command in world.postgres.table("handed"):
        kinds[command["body"]["orderId"]].add(command["kind"])
    taken, returned = {"take_flash_order"}, {"take_flash_order", "return_flash_order"}
    # What came and went with one batch was never live.
    lawful = {"persisted": (taken,), "cancelled": (returned, set[str]()), "failed": (set[str](),)}
    for row in world.postgres.table("order"):
        known = row["product_id"] == GAME and row["user_id"] in USERS
        handed = kinds.pop(row["order_id"], set())
        if handed not in (lawful[row["state"]] if known else (set[str](),)):
            yield f"{row['order_id']} is {row['state']}, and the store was told {sorted(handed)}"
    for order_id in kinds:
        yield f"the store was told of {order_id}, which has no row"


def _stocks(world: World) -> Iterator[str]:
    """Units of running sales: what is not left has a live order, and the counter of Postgres agrees."""
    sold: dict[tuple[str, int], int] = defaultdict(int)
    for row in world.postgres.table("order"):
        if row["state"] in LIVE:
            sold[row["product_id"], row["epoch"]] += row["quantity"]
    for sale in world.postgres.table("sale"):
        key = sale["product_id"], sale["epoch"]
        if sale["sold"] != sold[key] or sold[key] > sale["total"]:
            yield f"{key} counts {sale['sold']} of {sale['total']} sold, and has {sold[key]}"
    for product, epoch in world.redis.fields(world.keys.sales).items():
        running, stock, _ = world.keys.product(product_digest(product.decode()))
        left, total = int(world.redis.get(stock)), int(world.redis.get(running)[b"total"])
        units = sold[product.decode(), int(epoch)]
        if left < 0 or left + units != total:
            yield f"{product!r} has {left} left and {units} sold of {total}"


def _records(world: World) -> Iterator[str]:
    """Every record agrees with a row, and has an end."""
    rows = {row["order_id"]: row["state"] for row in world.postgres.table("order")}
    for key in [key for key in world.redis.data if ":order:" in key]:
        found = world.redis.get(key)
        if found is None:
            continue
        record = read_record(found, world.redis.ttl_ms(key))
        if rows.get(record.order_id) not in STATES_OF_ROWS.get(record.state, ()):
            yield f"the record of {record.order_id} is {record.state}, its row {rows.get(record.order_id)}"
        if key not in world.redis.ends_ms:
            yield f"the record of {record.order_id} has no end"
