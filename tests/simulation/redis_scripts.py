"""What the scripts of `lua/` do to the modelled Redis, read from the same keys and arguments.

Left out is what the workers never meet: token buckets, reads, figures other than the backlog, events, damaged keys.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from msgspec import msgpack

from contract.messages import decode_record
from lua.scripts import script_sha
from tests.simulation.redis_model import RedisModel, Stream, show_id

Script = Callable[[RedisModel, list[str], list[bytes]], Any]
ACCEPTED, REPLAYED, MISMATCH, LIMIT_REACHED, SOLD_OUT, UNKNOWN_PRODUCT, NOT_READY, BACKLOGGED = 1, 2, 3, 5, 6, 7, 8, 9
PLACE = slice(1, 37)
EPOCH = slice(53, 69)
PAYLOAD = slice(69, None)


class Sale(NamedTuple):
    """The keys of a product."""

    sale: str
    stock: str
    buyers: str


def admit(redis: RedisModel, keys: list[str], argv: list[bytes]) -> list[Any]:
    """Decide orders; the tokens never run out here."""
    _, outbox, figures = keys[:3]
    backlog_max = int(argv[6])
    product_count, client_count, order_count = (int(value) for value in argv[7:10])
    requests: list[Any] = msgpack.decode(argv[14])
    products = [Sale(*keys[3 + 3 * p : 6 + 3 * p]) for p in range(product_count)]
    records = keys[3 + 3 * product_count + client_count :]
    now = b"%016d" % redis.now_us
    appended: dict[bytes, bytes] = {}
    answers: list[Any] = []
    for i in range(order_count):
        product, _, units, *texts = requests[6 * i : 6 * i + 6]
        buyer, order_id, payload = (text.encode() for text in texts)
        sale = products[product - 1]
        found, stock, record = redis.fields(sale.sale), redis.get(sale.stock), redis.get(records[i])
        backlog, limit = _backlog(redis, figures) + len(appended), int(found.get(b"limit", 0))
        bought = int(redis.fields(sale.buyers).get(buyer, 0))
        if record is not None:
            answers += (REPLAYED, record[PLACE]) if record[PAYLOAD] == payload else (MISMATCH, 0)
        elif not found and stock is None:
            answers += (UNKNOWN_PRODUCT, 0)
        elif not found or stock is None or b"accepted" not in found:
            answers += (NOT_READY, 0)
        elif backlog >= backlog_max:
            answers += (BACKLOGGED, backlog)
        elif int(stock) == 0:
            answers += (SOLD_OUT, 0)
        elif limit and bought + units > limit:
            answers += (LIMIT_REACHED, limit)
        elif int(stock) < units:
            answers += (SOLD_OUT, int(stock))
        else:
            answers += (ACCEPTED, 0)
            redis.set(sale.stock, b"%d" % (int(stock) - units))
            redis.add(sale.sale, b"accepted", units)
            if limit:
                redis.add(sale.buyers, buyer, units)
            redis.set(records[i], b"a" + order_id + now + found[b"epoch"] + payload)
            appended[order_id] = found[b"epoch"] + payload
            order = decode_record(redis.get(records[i])).order
            redis.history.accepted[order_id.decode()] = order, int(found[b"epoch"])
    if appended:
        redis.xadd(outbox, {b"kind": b"orders", b"at": now, **appended})
        redis.add(figures, b"backlog", len(appended))
    return [*answers, *[0] * product_count, 0, 0]


def open_sale(redis: RedisModel, keys: list[str], argv: list[bytes]) -> bytes:
    """Open a sale, and close the one before."""
    sale, stock, buyers, outbox, figures, sales, lanes = keys
    _, _, product, total, limit, count = argv
    old = redis.fields(sale)
    old_epoch = old.get(b"epoch") or redis.fields(sales).get(product) or b"0"
    old_left = redis.get(stock) if old else None
    epoch = b"%016d" % max(redis.now_us, int(old_epoch) + 1)
    redis.set(lanes, count)
    closed = b":".join((old_epoch, b"-1" if old_left is None else old_left, old.get(b"returned", b"0")))
    redis.delete(buyers)
    redis.hash(sale).update(
        {b"epoch": epoch, b"total": total, b"limit": limit, b"product": product, b"accepted": b"0", b"returned": b"0"}
    )
    redis.set(stock, total)
    redis.hash(sales)[product] = epoch
    opening = b":".join((epoch, total, limit, closed, product))
    redis.xadd(outbox, {b"kind": b"opened", b"at": b"%016d" % redis.now_us, b"sale": opening})
    redis.add(figures, b"backlog", 1)
    return epoch


def cancel(redis: RedisModel, keys: list[str], argv: list[bytes]) -> list[Any]:
    """Cancel an order, once."""
    outbox, figures, record, *product = keys
    _, _, order_id, quantity, buyer = argv
    found = redis.get(record)
    if found is None or found[PLACE] != order_id:
        return [3, 0]
    if found[:1] == b"x":
        return [1, 0]
    if found[:1] not in (b"a", b"p"):
        return [2, found[:1]]
    redis.set(record, b"x" + found[1:])
    _give_back(redis, Sale(*product), found, int(quantity), buyer)
    fields = {b"kind": b"cancelled", b"at": b"%016d" % redis.now_us, order_id: found[EPOCH] + found[PAYLOAD]}
    redis.xadd(outbox, fields)
    redis.add(figures, b"backlog", 1)
    redis.history.cancelled.add(order_id.decode())
    return [1, 1]


def settle(redis: RedisModel, keys: list[str], argv: list[bytes], *, fenced: bool = True) -> int:
    """Settle entries. Without its fences it gives units back although the entry has gone, whatever the record says."""
    outbox, dead, figures = keys[:3]
    group, ttl_ms = argv[2].decode(), int(argv[3])
    product_count, entry_count, outcome_count, dead_count = (int(value) for value in argv[4:8])
    products = [Sale(*keys[3 + 3 * p : 6 + 3 * p]) for p in range(product_count)]
    records = iter(keys[3 + 3 * product_count :])
    rest = iter(argv[9:])
    stream = redis.stream(outbox) or Stream()
    entries = [_take(rest, 2) for _ in range(entry_count)]
    backlog, mine = _backlog(redis, figures), set[int]()
    for index, (entry, commands) in enumerate(entries, 1):
        ms, _, seq = entry.partition(b"-")
        place = int(ms), int(seq)
        if stream.entries.pop(place, None) is not None:
            if group in stream.groups:
                stream.groups[group].pending.pop(place, None)
            mine.add(index)
            backlog -= int(commands)
    settled = len(mine)
    if not fenced:
        mine = set(range(1, entry_count + 1))
    persisted: list[Any] = msgpack.decode(argv[8])
    for index, stands in zip(persisted[::3], persisted[1::3], strict=True):
        key = next(records)
        record = redis.get(key)
        if index in mine and record and record[:37] == stands.encode():
            redis.set(key, record, ttl_ms)
    for _ in range(outcome_count):
        key, (index, *outcome) = next(records), _take(rest, 7)
        if int(index) in mine:
            _apply(redis, key, products, outcome, ttl_ms, fenced)
    for _ in range(dead_count):
        index, kind, at, name, value, reason = _take(rest, 6)
        if int(index) in mine:
            source = entries[int(index) - 1][0]
            corpse = {b"kind": kind, b"at": at, b"name": name, b"value": value, b"reason": reason, b"entry": source}
            redis.xadd(dead, corpse)
    if settled:
        redis.hash(figures)[b"backlog"] = b"%d" % (max(0, backlog) if stream.entries else 0)
    return settled


def _apply(redis: RedisModel, key: str, products: list[Sale], outcome: list[bytes], ttl_ms: int, fenced: bool) -> None:
    order_id, letter, product, quantity, buyer, kept = outcome
    record = redis.get(key)
    if record is None or (fenced and record[PLACE] != order_id):
        return
    if letter == b"x":
        redis.set(key, record, ttl_ms)
    elif (record[:1] == b"a" and redis.ttl_ms(key) < 0) or not fenced:
        if letter == b"e":
            _give_back(redis, products[int(product) - 1], record, int(quantity), buyer)
        redis.set(key, kept or b"e" + record[1:], ttl_ms)


def snapshot(redis: RedisModel, keys: list[str], argv: list[bytes]) -> list[bytes]:
    """The books of a lane at one instant."""
    stream = redis.stream(keys[0])
    books = [show_id(stream.last) if stream else b"0-0"]
    for p in range(int(argv[0])):
        sale = redis.fields(keys[2 + 2 * p])
        books += [sale.get(name, b"") for name in (b"epoch", b"total", b"accepted", b"returned")]
        books.append(redis.get(keys[3 + 2 * p]) or b"")
    return books


def mark_lost(redis: RedisModel, keys: list[str], argv: list[bytes]) -> int:
    """Note a sale that Redis has lost."""
    sale, stock, sales, lanes = keys
    product, epoch, total, count = argv
    if redis.get(sale) or redis.get(stock) is not None:
        return 0
    redis.set(lanes, count)
    redis.hash(sale).update({b"epoch": epoch, b"total": total, b"limit": b"0", b"product": product})
    redis.hash(sales)[product] = epoch
    return 1


def forget_consumers(redis: RedisModel, keys: list[str], argv: list[bytes]) -> int:
    """Forget consumers that hold nothing."""
    stream = redis.stream(keys[0])
    group = stream.groups.get(argv[0].decode()) if stream else None
    if group is None:
        return 0
    holders = {pending.consumer for pending in group.pending.values()}
    idle = [name for name, seen_ms in group.consumers.items() if redis.now_ms - seen_ms > int(argv[1])]
    gone = [name for name in idle if name not in holders]
    for name in gone:
        del group.consumers[name]
    return len(gone)


def replay_dead(redis: RedisModel, keys: list[str], argv: list[bytes]) -> int:
    """Put a dead command back into the outbox."""
    outbox, dead, figures = keys
    stream = redis.stream(dead)
    found = redis.xrange(dead, argv[0].decode(), argv[0].decode(), 1)
    if not stream or not found:
        return 0
    ((_, corpse),) = found
    redis.xadd(outbox, {b"kind": corpse[b"kind"], b"at": corpse[b"at"], corpse[b"name"]: corpse[b"value"]})
    ms, _, seq = argv[0].partition(b"-")
    del stream.entries[int(ms), int(seq)]
    redis.add(figures, b"backlog", 1)
    return 1


def _give_back(redis: RedisModel, product: Sale, record: bytes, units: int, buyer: bytes) -> None:
    """Units of an order go back to its sale, while that runs."""
    sale, stock = redis.fields(product.sale), redis.get(product.stock)
    if stock is None or b"returned" not in sale or sale[b"epoch"] != record[EPOCH]:
        return
    redis.set(product.stock, b"%d" % (int(stock) + units))
    redis.add(product.sale, b"returned", units)
    bought = redis.fields(product.buyers)
    if buyer in bought:
        bought[buyer] = b"%d" % max(0, int(bought[buyer]) - units)


def _backlog(redis: RedisModel, figures: str) -> int:
    return int(redis.fields(figures).get(b"backlog", 0))


def _take(values: Iterator[bytes], count: int) -> list[bytes]:
    return [next(values) for _ in range(count)]


SCRIPTS: dict[str, Script] = {
    script_sha(script.__name__): script
    for script in (admit, open_sale, cancel, settle, snapshot, mark_lost, forget_consumers, replay_dead)
}
"""Every script by the hash that its caller sends."""
