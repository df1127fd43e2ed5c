"""Measures what one order costs on every hop, by the counters of the servers themselves.

Bytes and memory hardly depend on how busy the machine is, and CPU time little; nothing here is a rate.
"""

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.capacity.house import House, Reading, open_house, read_postgres, read_valkey, working
from bench.capacity.inputs import Costs
from bench.loopback import LOOPBACK
from bench.replies import parse_reply
from bench.requests import order_bytes, order_key
from bench.sale import open_sale
from fluxgate.refusal import Refusal
from lua import LaneKeys

# Connections that order at the same moment, and how often: the more there are, the larger the batches that form.
WAVES = {1: 120, 4: 60, 16: 40, 64: 30, 256: 16}
# Orders alone in their batch, without a sync: what a batch costs, whatever is in it.
SINGLES = 200
# Other programs make some of them dearer and none cheaper, so they are looked at in groups, and the cheapest counts.
GROUPS = 10
# In turns, so that no size alone meets a busy moment.
ROUNDS = 2
OUTBOX = LaneKeys(0).outbox
PRODUCT, UNITS = "capacity", 1_000_000
ANSWER_MAX_S = 10.0
READ_BYTES = 65_536
# How long the worker may take for all that was ordered: some seconds of work.
DRAIN_MAX_S = 60.0
LOOK_EVERY_S = 0.1
FSYNCS, FSYNC_BYTES = 200, 4096


class Batches(NamedTuple):
    """What some batches of about one size cost Valkey; bytes are per order."""

    connections: int
    orders: int
    calls: int
    cpu_us: float
    admit_bytes: float
    verdict_bytes: float
    aof_bytes: float


class Admitted(NamedTuple):
    """What was found at the front: sizes over HTTP, and all batches."""

    request_bytes: int
    answer_bytes: int
    refusal_bytes: int
    batches: list[Batches]
    # CPU of Valkey for a batch of one that nothing is synced for.
    alone_us: float


class Settled(NamedTuple):
    """What was found at the back, per order."""

    take_bytes: float
    settle_bytes: float
    insert_bytes: float
    returned_bytes: float
    aof_bytes: float
    wal_bytes: float
    row_bytes: float
    cpu_us: float


def measure_costs() -> Costs:
    """Start the servers, send some thousand orders, and read the counters; takes some seconds.

    Raises Refusal, SaleRefusedError, BadReplyError or OSError where a part does not come up or does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="fluxgate-capacity-", ignore_cleanup_errors=True) as directory:
        return asyncio.run(_measure(Path(directory)))


async def _measure(directory: Path) -> Costs:
    async with open_house(directory) as house:
        open_sale(house.settings.port, PRODUCT, UNITS)
        empty = read_valkey(house)
        front = await asyncio.to_thread(_admit, house)
        waiting = read_valkey(house)
        orders = sum(batch.orders for batch in front.batches) + SINGLES + 1
        back = await _settle(house, orders)
        settled = read_valkey(house)
        fsync_us = median(_fsyncs_us(directory))
    largest = [batch for batch in front.batches if batch.connections == max(WAVES)]
    _, batched_us = fit_line([(batch.orders / batch.calls, batch.cpu_us / batch.calls) for batch in front.batches])
    return Costs(
        request_bytes=front.request_bytes,
        answer_bytes=front.answer_bytes,
        refusal_bytes=front.refusal_bytes,
        admit_bytes=median([batch.admit_bytes for batch in largest]),
        verdict_bytes=median([batch.verdict_bytes for batch in largest]),
        take_bytes=back.take_bytes,
        settle_bytes=back.settle_bytes,
        insert_bytes=back.insert_bytes,
        returned_bytes=back.returned_bytes,
        admit_aof_bytes=median([batch.aof_bytes for batch in largest]),
        settle_aof_bytes=back.aof_bytes,
        wal_bytes=back.wal_bytes,
        row_bytes=back.row_bytes,
        backlog_bytes=(waiting.memory - empty.memory) / orders,
        record_bytes=(settled.memory - empty.memory) / orders,
        # A sync is of a turn, which several batches may share, so it is no part of what each of them costs.
        batch_us=max(0.0, front.alone_us - batched_us),
        batched_us=batched_us,
        settle_us=back.cpu_us,
        fsync_us=fsync_us,
    )


def fit_line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The `a` and `b` of y = a + b * x with the least squares of relative errors; neither is below 0.

    Relative, because a batch of 256 costs a hundred times what one order does, and both shall count alike.
    """
    weights = [1 / (y * y) for _, y in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True)) / spread
    slope = max(0.0, slope)
    return max(0.0, mean_y - slope * mean_x), slope


def _admit(house: House) -> Admitted:
    """Orders in waves of every size, and one refusal."""
    port = house.settings.port
    number = 0
    sizes = (0, 0)
    batches: list[Batches] = []
    for _ in range(ROUNDS):
        for connections, waves in WAVES.items():
            lines = [socket.create_connection((LOOPBACK, port), ANSWER_MAX_S) for _ in range(connections)]
            before = read_valkey(house)
            for _ in range(waves):
                sizes = _wave(port, lines, range(number, number + connections), PRODUCT)
                number += connections
            batches.append(_batches(connections, connections * waves, before, read_valkey(house)))
            for line in lines:
                line.close()
    scarce = f"{PRODUCT}-scarce"
    open_sale(port, scarce, 1)
    with socket.create_connection((LOOPBACK, port), ANSWER_MAX_S) as line:
        house.valkey.config_set("appendfsync", "everysec")
        groups: list[float] = []
        for _ in range(GROUPS):
            before = read_valkey(house).cpu_us
            for _ in range(SINGLES // GROUPS):
                _wave(port, [line], range(number, number + 1), PRODUCT)
                number += 1
            groups.append((read_valkey(house).cpu_us - before) / (SINGLES // GROUPS))
        house.valkey.config_set("appendfsync", "always")
        _wave(port, [line], range(number, number + 1), scarce)
        refusal = _wave(port, [line], range(number + 1, number + 2), scarce, expected=409)
    return Admitted(*sizes, refusal[1], batches, min(groups))


def _wave(
    port: int, lines: Sequence[socket.socket], numbers: Sequence[int], product: str, expected: int = 200
) -> tuple[int, int]:
    """One order on each connection, all at once; gives the bytes of the last request and of its answer."""
    sizes = (0, 0)
    for line, number in zip(lines, numbers, strict=True):
        request = order_bytes(port, order_key(0, number), product, f"buyer-{number:012d}")
        line.sendall(request)
        sizes = (len(request), 0)
    for line in lines:
        answer = b""
        while (reply := parse_reply(answer)) is None:
            answer += (part := line.recv(READ_BYTES))
            if not part:
                raise Refusal("The gateway ended a connection instead of answering an order: see its log.")
        if reply[0] != expected:
            raise Refusal(f"An order was answered with {reply[0]} instead of {expected}: {answer[-200:]!r}")
        sizes = (sizes[0], len(answer))
    return sizes


def _batches(connections: int, orders: int, before: Reading, after: Reading) -> Batches:
    return Batches(
        connections=connections,
        orders=orders,
        calls=after.calls - before.calls,
        cpu_us=after.cpu_us - before.cpu_us,
        admit_bytes=(after.received - before.received) / orders,
        verdict_bytes=(after.sent - before.sent) / orders,
        aof_bytes=(after.aof - before.aof) / orders,
    )


async def _settle(house: House, orders: int) -> Settled:
    """Let a worker take all that waits."""
    before, (_, wal, size) = read_valkey(house), await read_postgres(house)
    async with working(house):
        began = time.monotonic()
        while (await read_postgres(house))[0] < orders or house.valkey.xlen(OUTBOX):
            if time.monotonic() - began > DRAIN_MAX_S:
                raise Refusal(f"The order worker did not write {orders:,} orders within {DRAIN_MAX_S:.0f} s.")
            await asyncio.sleep(LOOK_EVERY_S)
        after, (_, wal_after, size_after) = read_valkey(house), await read_postgres(house)
    return Settled(
        take_bytes=(after.sent - before.sent) / orders,
        settle_bytes=(after.received - before.received) / orders,
        insert_bytes=house.tap.sent / orders,
        returned_bytes=house.tap.returned / orders,
        aof_bytes=(after.aof - before.aof) / orders,
        wal_bytes=(wal_after - wal) / orders,
        row_bytes=(size_after - size) / orders,
        cpu_us=(after.cpu_us - before.cpu_us) / orders,
    )


def _fsyncs_us(directory: Path) -> list[float]:
    """How long small appends take to be on this disk."""
    times: list[float] = []
    with (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            file.write(bytes(FSYNC_BYTES))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1e6)
    return times
