"""`fluxgate reconcile`: the proof as a table, as JSON, and as an exit code."""

import msgspec
from rich.console import Console
from rich.table import Table

from contract.settings import Settings
from contract.telemetry import get_logger
from fluxgate.lanes import lanes_of
from sql import load_queries, open_pool
from workers.books import Books
from workers.proof import prove
from workers.worker import Context

BALANCED, UNBALANCED = 0, 1
PLAIN_WIDTH = 150
_COLUMNS = ("initial", "left", "held", "sold", "returned", "orders", "oversold", "lost", "duplicated")


async def command(settings: Settings, as_json: bool) -> int:
    """Print the books of every sale. Gives 0 when all balance, 1 when one does not."""
    books = await read_books(settings)
    faulty = [book for book in books if book.fault]
    if as_json:
        document: dict[str, object] = {"balanced": not faulty, "sales": [book._asdict() for book in books]}
        for name in ("oversold", "lost", "duplicated"):
            document[name] = sum(getattr(book, name) for book in books)
        Console(soft_wrap=True).print_json(msgspec.json.encode(document).decode())
    else:
        _print_table(books)
    return UNBALANCED if faulty else BALANCED


async def read_books(settings: Settings) -> list[Books]:
    """The books of every sale of all lanes, from the servers of these settings."""
    async with lanes_of(settings) as (redis, lanes):
        in_force = msgspec.structs.replace(settings, lanes=len(lanes))
        pool = await open_pool(settings.postgres_at, name="reconcile", connections=1)
        try:
            return await prove(Context(in_force, redis, pool, lanes[0], load_queries("reconcile"), get_logger()))
        finally:
            await pool.close()


def _print_table(books: list[Books]) -> None:
    plain = Console()
    # Where nobody looks at a terminal, nothing is squeezed into one.
    console = plain if plain.is_terminal else Console(width=PLAIN_WIDTH)
    table = Table(title="initial = left + held + sold + returned")
    table.add_column("product")
    table.add_column("sale")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    table.add_column("books")
    for book in books:
        numbers = ["?" if getattr(book, name) is None else str(getattr(book, name)) for name in _COLUMNS]
        verdict = f"[red]{book.fault}[/red]" if book.fault else "[green]balanced[/green]"
        table.add_row(book.product_id, "open" if book.open else f"closed ({book.epoch})", *numbers, verdict)
    if books:
        console.print(table)
    else:
        console.print("No sale has been opened yet, so there is nothing to balance.")
