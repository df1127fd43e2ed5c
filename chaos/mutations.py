"""Mutations: the product with one safeguard taken out, each of which the suite has to find out about.

The product has no switch for this. A mutation is data: edits of the text of some files, applied to a copy of the
source, from which a whole system is started. It is found by the ordeal that the safeguard is there for.
"""

import contextlib
import shutil
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.children import ROOT
from chaos import ordeals
from chaos.findings import Findings
from chaos.house import House, house_settings
from chaos.ordeals import Ordeal
from chaos.system import running_system

PACKAGES = ("contract", "gateway", "workers", "lua", "sql", "fluxgate", "waiting_room")
# Short, because an ordeal waits until whatever a dead worker held has been taken over.
LEASE_S = 1.0
# What Python has compiled is copied too, but not while it is being written by somebody who runs the same source.
HALF_WRITTEN = shutil.ignore_patterns("*.pyc.*")


class Edit(NamedTuple):
    """A change of one file: `old` stands in it exactly once."""

    file: str
    old: str
    new: str


class Mutation(NamedTuple):
    """A safeguard taken out, and the ordeal that shows it by these findings."""

    name: str
    ordeal: Ordeal
    found_by: tuple[str, ...]
    edits: tuple[Edit, ...] = ()

    @property
    def ordeal_name(self) -> str:
        """The ordeal in words."""
        return getattr(self.ordeal, "func", self.ordeal).__name__.replace("_", " ")


class StaleEditError(Exception):
    """An edit whose `old` the file does not have, or has more than once: the source has changed since."""


MUTATIONS = [
    Mutation(
        "appendfsync everysec",
        ordeals.valkey_dies_while_its_disk_hangs,
        ("lost",),
        (Edit("fluxgate/valkey.py", '"always" if durable else "everysec"', '"everysec"'),),
    ),
    Mutation(
        "a MAXLEN on the outbox",
        ordeals.worker_stands_still_in_a_crowd,
        ("lost",),
        (Edit("lua/admit.lua", "'XADD', outbox, '*'", "'XADD', outbox, 'MAXLEN', 10, '*'"),),
    ),
    Mutation(
        "the worker acknowledges before it commits",
        ordeals.worker_dies_in_its_transaction,
        ("lost",),
        (
            Edit(
                "workers/consumer.py",
                "    outcomes = await until_it_works(",
                "    await _settle(context, worker, entries, [Done(lua.PERSISTED)] * len(placed))\n"
                "    outcomes = await until_it_works(",
            ),
        ),
    ),
    Mutation(
        "the gateway reads the stock and writes it back",
        ordeals.a_crowd_at_two_gateway_processes,
        ("lost", "books"),
        (
            Edit(
                "lua/admit.py",
                "    return batch.unpack(await call(",
                "    keys, _ = batch.pack(limits, 0, 0)\n"
                "    stocks = [key for key in keys if ':stock:' in key]\n"
                "    before = [await client.execute_command('GET', stock) or b'' for stock in stocks]\n"
                "    pack = batch.pack\n"
                "    batch = type('B', (), {'pack': lambda _, *a: (pack(*a)[0], pack(*a)[1] + before),\n"
                "                           'unpack': staticmethod(batch.unpack)})()\n"
                "    return batch.unpack(await call(",
            ),
            Edit("lua/admit.lua", "redis.call('GET', KEYS[key + 1])", "ARGV[#ARGV - product_count + p]"),
            Edit(
                "lua/admit.lua",
                "redis.call('DECRBY', KEYS[sale.key + 1], sale.taken)",
                "redis.call('SET', KEYS[sale.key + 1], sale.left)",
            ),
        ),
    ),
    Mutation(
        "clients repeat an unknown outcome under a fresh key",
        partial(ordeals.connections_are_cut, fresh_keys=True),
        ("duplicated",),
    ),
    Mutation(
        "the gateway takes a repeated key for a new one",
        ordeals.connections_are_cut,
        ("lost", "duplicated"),
        (
            Edit(
                "gateway/orders.py",
                "digest = key_digest(key, lanes.secret)",
                "digest = key_digest(__import__('secrets').token_hex(), lanes.secret)",
            ),
        ),
    ),
    Mutation(
        "a worker without its fences",
        ordeals.worker_and_valkey_die_between_commit_and_settlement,
        ("duplicated", "oversold"),
        (
            Edit("sql/schema/0002_orders.sql", "uuid        PRIMARY KEY", "uuid        NOT NULL"),
            Edit(
                "sql/schema/0002_orders.sql",
                "CREATE UNIQUE INDEX orders_one_per_key",
                "CREATE INDEX orders_one_per_key",
            ),
            Edit("sql/schema/0001_sales.sql", "sold >= 0 AND sold <= total", "sold >= 0"),
            Edit("sql/queries/orders.sql", "ON CONFLICT DO NOTHING\nRETURNING order_id", "RETURNING order_id"),
            Edit("workers/orders.py", "sold[item.sale] + quantity > unsold[item.sale]", "False"),
        ),
    ),
    Mutation(
        "synchronous_commit off",
        ordeals.postgres_dies_behind_the_settlement,
        ("lost",),
        (Edit("fluxgate/postgres.py", '"synchronous_commit": "on"', '"synchronous_commit": "off"'),),
    ),
    Mutation(
        "a worker that takes over nothing from a dead one",
        ordeals.worker_dies_in_its_transaction,
        ("lost",),
        (Edit("workers/consumer.py", "if loop.time() >= self._next_claim:", "if False:"),),
    ),
    Mutation(
        "a new group that begins at the end",
        ordeals.group_is_deleted,
        ("lost",),
        (Edit("contract/transport/redis_streams.py", 'id="0", mkstream', 'id="$", mkstream'),),
    ),
    Mutation(
        "dead letters are thrown away",
        ordeals.a_command_is_dead_lettered_and_replayed,
        ("lost", "books"),
        (Edit("lua/settle.lua", "    if mine[entry] then", "    if false then"),),
    ),
    Mutation(
        "failed orders keep their units",
        ordeals.redis_forgets_the_keys,
        ("books",),
        (Edit("lua/settle.lua", "if outcome == 'e' and live", "if false and live"),),
    ),
    Mutation(
        "an order can be cancelled twice",
        ordeals.buyers_cancel_twice,
        ("lost", "books"),
        (Edit("lua/cancel.lua", "redis.call('SET', record, 'x' .. string.sub(found, 2))", ""),),
    ),
]


async def reveal(mutation: Mutation, directory: Path) -> Findings:
    """Put a mutated system through the ordeal of its mutation, in an empty directory."""
    async with mutated_house(mutation.edits, directory) as house:
        return await mutation.ordeal(house, 1)


@contextlib.asynccontextmanager
async def mutated_house(edits: tuple[Edit, ...], directory: Path) -> AsyncGenerator[House]:
    """A house whose processes all run the edited source, of which there is a copy in `source`."""
    settings = msgspec.structs.replace(house_settings(directory / "data"), lease_s=LEASE_S)
    source = directory / "source"
    copy_source(source, edits)
    async with running_system(settings, source=source) as system:
        yield House(settings, system, settings.port)


def copy_source(target: Path, edits: tuple[Edit, ...]) -> None:
    """Copy the packages of the product, and edit the copy. Raises StaleEditError."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, target / package, ignore=HALF_WRITTEN)
    for file, old, new in edits:
        path = target / file
        text = path.read_text(encoding="utf-8")
        if (count := text.count(old)) != 1:
            raise StaleEditError(f"{file} has {old!r} {count} times, and not once.")
        path.write_text(text.replace(old, new), encoding="utf-8")
