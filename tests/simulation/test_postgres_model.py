"""The modelled Postgres is one: the same statements on two connections, with the same rows, refusals and waits."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from contract.settings import Settings
from sql import load_queries
from tests.simulation.postgres_model import PostgresModel, Session
from tests.simulation.postgres_queries import QUERIES

HISTORIES = 100
STEPS = 30
TEXTS = {**load_queries("orders"), **load_queries("reconcile")}
SALES = (("ps5", 1), ("ps5", 2), ("xbox", 1))
IDS = tuple(f"01a1ee56-5e00-7000-8000-00000000000{digit}" for digit in range(8))
WAITING = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1"
Told = list[Any] | str


class Real:
    """A connection to a real Postgres. A statement that waits for a lock is `waiting`."""

    def __init__(self, connection: Any, watcher: Any) -> None:
        self._connection = connection
        self._watcher = watcher
        self._block: Any = None
        self.waiting: asyncio.Task[Told] | None = None

    async def begin(self, isolation: str) -> None:
        self._block = self._connection.transaction(isolation=isolation)
        await self._block.start()

    async def end(self, *, commit: bool) -> None:
        await (self._block.commit() if commit else self._block.rollback())

    async def run(self, query: str, arguments: tuple[Any, ...]) -> Told | None:
        """What it gave, or None when it waits."""
        task = asyncio.create_task(self._told(query, arguments))
        pid = self._connection.get_server_pid()
        while not (await asyncio.wait({task}, timeout=0.002))[0]:
            if await self._watcher.fetchval(WAITING, pid):
                self.waiting = task
                return None
        return task.result()

    async def finish(self) -> Told:
        """What a statement gives that need not wait any more."""
        assert self.waiting
        told, self.waiting = await self.waiting, None
        return told

    async def _told(self, query: str, arguments: tuple[Any, ...]) -> Told:
        try:
            return tell([dict(row) for row in await self._connection.fetch(TEXTS[query], *arguments)], query)
        except asyncpg.PostgresError as error:
            return type(error).__name__


class Modelled:
    """The same on the model."""

    def __init__(self, model: PostgresModel) -> None:
        self._session = Session(model, QUERIES)
        self._waiting: Any = None

    def begin(self, isolation: str) -> None:
        self._session.begin(isolation)

    def end(self, *, commit: bool) -> None:
        if commit:
            self._session.commit()
        else:
            self._session.rollback()

    async def run(self, query: str, arguments: tuple[Any, ...]) -> Told | None:
        try:
            answer = self._session.run(query, arguments)
        except asyncpg.PostgresError as error:
            return type(error).__name__
        if not answer.done():
            self._waiting = answer, query
            return None
        return await self._told(answer, query)

    async def finish(self) -> Told:
        return await self._told(*self._waiting)

    async def _told(self, answer: asyncio.Future[Any], query: str) -> Told:
        try:
            return tell(await answer, query)
        except asyncpg.PostgresError as error:
            return type(error).__name__


COLUMNS = {
    "lock_sales": ("product_id", "epoch", "total", "sold", "is_game"),
    "insert_orders": ("order_id",),
    "cancel_orders": ("order_id", "product_id", "epoch", "user_id", "quantity"),
    "known_orders": ("order_id", "state"),
    "find_orders": ("order_id", "product_id", "epoch", "user_id", "quantity", "state", "reason", "accepted_us"),
    "find_originals": ("order_id", "product_id", "epoch", "user_id", "quantity", "state", "accepted_us"),
    "sale_books": ("product_id", "epoch", "total", "sold_counter", "closed_left", "closed_returned", "orders", "units",
                   "cancelled", "failed", "oversold", "sold_now"),
}  # fmt: skip


def tell(rows: list[dict[str, Any]], query: str) -> list[Any]:
    """Rows in a form that can be compared."""
    cells = [tuple(str(row[name]) for name in COLUMNS.get(query, ())) for row in rows]
    return cells if query == "lock_sales" else sorted(cells)


def orders(die: random.Random) -> list[str]:
    """Columns of some orders; ids and keys meet often."""
    ids = die.sample(IDS, die.randint(1, 3))
    sale = die.choice(SALES)
    keys = [f"key-{die.randrange(4)}" for _ in ids]
    times, places = [1_795_000_000_000_000 + i for i in range(len(ids))], [die.randrange(9) for _ in ids]
    some = [sale[0]] * len(ids), [sale[1]] * len(ids), ["ann"] * len(ids), [die.randint(1, 3) for _ in ids]
    columns = (ids, *some, keys, times, places, [0] * len(ids))
    return ["\n".join(map(str, column)) for column in columns]


def statement(die: random.Random, own: list[str]) -> tuple[str, tuple[Any, ...]]:
    """A named query with arguments. Only what this transaction has written, `own`, may fail or be withdrawn.

    In which order Postgres takes several rows to change, only its planner knows; so it is given one. The worker has
    locked their sales before, in one order.
    """
    query = die.choice((*QUERIES, "insert_orders", "lock_sales", "cancel_orders"))
    sale, ids = die.choice(SALES), die.sample(IDS, die.randint(1, 3))
    sales = [list(column) for column in zip(*die.sample(SALES, die.randint(1, 3)), strict=True)]
    arguments: dict[str, tuple[Any, ...]] = {
        "lock_sales": tuple(sales),
        "insert_sale": (*sale, 5, 0, 1_795_000_000_000_000),
        "close_sale": (*sale, die.randint(-1, 3), 0),
        "insert_new_orders": tuple(orders(die)),
        "insert_orders": tuple(orders(die)),
        "insert_duplicates": (*orders(die), "duplicate: again"),
        "fail_orders": (own, "oversold: none left"),
        "withdraw_orders": (own,),
        "count_sold": ([sale[0]], [sale[1]], [die.choice((-1, 1, 4))]),
        "cancel_orders": (ids[:1], [1_795_000_000_000_009], [die.randrange(9)], [0]),
        "find_orders": (["no uuid"] if die.random() < 0.1 else ids,),
        "hand_over": (ids[0], die.choice(("ann", "nobody")), "{}"),
        "find_originals": (["ann"] * 2, ["key-0", "key-1"]),
        "known_orders": (ids,),
        "sale_books": running(die),
    }
    return query, arguments[query]


def running(die: random.Random) -> tuple[list[Any], ...]:
    """Two of the sales run, each as of a place in the outbox of its lane."""
    names, epochs = zip(*die.sample(SALES, 2), strict=True)
    return list(names), list(epochs), [die.randrange(9), die.randrange(9)], [0, 0]


def still_own(own: list[str], query: str, arguments: tuple[Any, ...], told: Told | None) -> list[str]:
    """The persisted orders of a transaction after a statement; none where it is not known yet."""
    if query == "insert_orders":
        return own + [order_id for (order_id,) in told] if isinstance(told, list) else own
    if query in ("fail_orders", "withdraw_orders"):
        return []
    return [order_id for order_id in own if order_id not in arguments[0]] if query == "cancel_orders" else own


@pytest.fixture
async def connections(settings: Settings) -> AsyncIterator[list[Any]]:
    """Two that work and one that watches, on emptied tables, where one of the products is a game, and ann a user."""
    driver: Any = asyncpg
    opened: list[Any] = [await driver.connect(settings.postgres_at) for _ in range(3)]
    await opened[2].execute("INSERT INTO games (id, title, price) VALUES ('ps5', 'A game', 1)")
    await opened[2].execute(
        "INSERT INTO users (id, email, password_hash, nickname) VALUES ('ann', 'ann@example.com', 'none', 'Ann')"
    )
    yield opened
    await opened[2].execute("DELETE FROM games WHERE id = 'ps5'")
    await opened[2].execute("DELETE FROM users WHERE id = 'ann'")
    for connection in opened:
        await connection.close()


@pytest.mark.slow
async def test_the_same_statements_give_the_same_rows_refusals_and_waits(connections: list[Any]) -> None:
    waits = 0
    for seed in range(HISTORIES):
        await connections[2].execute("TRUNCATE orders, sales, sale_closings, outbox")
        waits += await play(random.Random(seed), connections, f"seed {seed}")
    assert waits > HISTORIES / 4, "the histories hardly ever meet"


async def play(die: random.Random, connections: list[Any], seed: str) -> int:
    """One history; gives how many statements had to wait."""
    model = PostgresModel()
    model.rows |= {("game", "ps5"): {}, ("user", "ann"): {}}
    reals = [Real(connection, connections[2]) for connection in connections[:2]]
    modelled = [Modelled(model) for _ in reals]
    open_blocks = [False, False]
    own: list[list[str]] = [[], []]
    waits = 0
    for step in range(STEPS):
        waiting = [i for i, real in enumerate(reals) if real.waiting]
        i = 1 - waiting[0] if waiting else die.randrange(2)
        if not open_blocks[i]:
            isolation = die.choice(("read_committed", "read_committed", "repeatable_read"))
            await reals[i].begin(isolation)
            modelled[i].begin(isolation)
            open_blocks[i], own[i] = isolation != "repeatable_read", []
            if not open_blocks[i]:
                # It only reads, as the proof does.
                books = "sale_books", running(die)
                assert await reals[i].run(*books) == await modelled[i].run(*books), f"{seed}, step {step}"
                await end(reals, modelled, i, commit=True, seed=seed)
        elif die.random() < 0.2:
            open_blocks[i] = False
            await end(reals, modelled, i, commit=die.random() < 0.7, seed=seed)
        else:
            query, arguments = statement(die, own[i])
            expected = await modelled[i].run(query, arguments)
            if expected == "DeadlockDetectedError":
                break
            assert await reals[i].run(query, arguments) == expected, f"{seed}, step {step}: {query} {arguments}"
            waits += expected is None
            own[i] = still_own(own[i], query, arguments, expected)
    for i in sorted((0, 1), key=lambda i: reals[i].waiting is not None):
        if open_blocks[i]:
            await end(reals, modelled, i, commit=False, seed=seed)
    books = "sale_books", ([], [], [], [])
    rest = "find_orders", (list(IDS),)
    for query, arguments in (books, rest):
        assert await reals[0].run(query, arguments) == await modelled[0].run(query, arguments), seed
    return waits


async def end(reals: list[Real], modelled: list[Modelled], i: int, *, commit: bool, seed: str) -> None:
    """End a transaction; a statement of the other that waited for it goes on."""
    await reals[i].end(commit=commit)
    modelled[i].end(commit=commit)
    other = 1 - i
    if reals[other].waiting:
        assert await reals[other].finish() == await modelled[other].finish(), seed
