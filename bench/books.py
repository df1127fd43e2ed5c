"""What the proof asks of the system: how much has arrived in Postgres, every stored order, and the reconciliation."""

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import asyncpg
import msgspec

from bench.children import ROOT, code_environ
from contract.settings import Settings
from fluxgate.embedded import resolve
from fluxgate.reconcile import read_books

# How long the backlog of a run may take to reach Postgres before the proof counts it as lost.
DRAIN_MAX_S = 120.0
# Between two looks at how much has arrived: a hundredth of a run, and one cheap question each.
LOOK_EVERY_S = 0.05
# How long the reconciliation of a whole bench may take.
RECONCILE_MAX_S = 120.0


class Reconciliation(msgspec.Struct, frozen=True):
    """What `fluxgate reconcile --json` said. `problem` is its last words when it could say nothing."""

    balanced: bool = False
    oversold: int = 0
    lost: int = 0
    duplicated: int = 0
    problem: str = ""


@contextlib.asynccontextmanager
async def open_books(settings: Settings) -> AsyncGenerator[Any]:
    """A connection to the Postgres of a running system."""
    connection: Any = await cast(Any, asyncpg).connect(resolve(settings).postgres_at, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


async def await_stored(connection: Any, products: Sequence[str], units: int) -> float:
    """Wait until Postgres has sold `units` of some products, or give up; the moment, in seconds of the clock."""
    until = time.perf_counter() + DRAIN_MAX_S
    while await units_sold(connection, products) < units:
        if time.perf_counter() > until:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return time.perf_counter()


async def units_sold(connection: Any, products: Sequence[str]) -> int:
    """How many units of some products Postgres has as sold."""
    return await connection.fetchval(queries()["units_sold"], products)


async def stored_orders(connection: Any, products: Sequence[str]) -> dict[str, str]:
    """The state of every order of some products, by its id."""
    return {row["order_id"]: row["state"] for row in await connection.fetch(queries()["stored_orders"], products)}


async def own_backend(connection: Any) -> int:
    """The process that serves this connection, as Postgres sees it."""
    return await connection.fetchval(queries()["own_backend"])


def reconcile(settings: Settings) -> Reconciliation:
    """Ask `fluxgate reconcile --json` whether the books balance; its exit code is what counts."""
    done = subprocess.run(
        [sys.executable, "-m", "fluxgate", "reconcile", "--json"],
        env=code_environ(settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RECONCILE_MAX_S,
        check=False,
    )
    try:
        said = msgspec.json.decode(done.stdout, type=Reconciliation)
    except msgspec.DecodeError:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        return Reconciliation(problem=f"fluxgate reconcile ended with code {done.returncode}: {last}")
    return msgspec.structs.replace(said, balanced=said.balanced and done.returncode == 0)


async def unbalanced(settings: Settings) -> tuple[str, ...]:
    """What `fluxgate reconcile` would find wrong, asked without starting a program: short runs are many."""
    books = await read_books(resolve(settings))
    return tuple(f"the books of {book.product_id} do not balance: {book.fault}" for book in books if book.fault)


@cache
def queries() -> Mapping[str, str]:
    """The queries of the proofs by name."""
    text = Path(__file__).with_name("queries.sql").read_text(encoding="utf-8")
    parts = [part.partition("\n") for part in re.split(r"^-- name: ", text, flags=re.MULTILINE)[1:]]
    return {name: query for name, _, query in parts}
