"""Writes a page of the inventory, or of orders, in the transaction of its step, the whole page at once.

What a table does not take is not made to fit: texts are cut to their columns, and a row whose money or numbers are
beyond them is counted as one that cannot be read.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from contract.bus import encode
from contract.settings import Settings
from sql import Connection
from workers.amazon_documents import QUERIES
from workers.clients.amazon import Order, Stock

NAME_MAX = 255
"""Characters of ids of claims, of their orders, and of SKUs."""
MOCK_SCENARIO = "sandbox"
_MONEY_END = Decimal(10) ** 15
_EXPONENT_LEAST = -20
_INTEGER_END = 2**31


class Whose(NamedTuple):
    """Whose rows these are, which pass has met them, whether Amazon is its sandbox, and the version of its finances."""

    user_id: str
    number: int
    is_mock: bool
    finances_api: str

    @property
    def scenario(self) -> str | None:
        """What stands for the sandbox in a row."""
        return MOCK_SCENARIO if self.is_mock else None


def whose(settings: Settings, user_id: str, number: int) -> Whose:
    """Whose rows a pass of this number meets under these settings."""
    return Whose(user_id, number, settings.is_amazon_sandboxed, settings.amazon_finances_api)


async def write_inventory(connection: Connection, own: Whose, page: Sequence[Stock]) -> int:
    """Write the inventory; gives how many of its rows no table takes."""
    fit = [one for one in page if 0 < len(one.sku) <= NAME_MAX and _are_integers(one[4:8])]
    by_sku = {clean(one.sku): one for one in fit}
    rows = [
        (
            sku,
            cut(one.asin, 255),
            cut(one.fnsku, 255),
            cut(one.name, 500),
            *one[4:8],
            cut(one.condition, 50),
        )
        for sku, one in sorted(by_sku.items())
    ]
    await put(connection, "put_inventory", own.user_id, rows, own.number, own.is_mock, own.scenario)
    return len(page) - len(fit)


async def write_orders(connection: Connection, own: Whose, page: Sequence[Order]) -> int:
    """Write orders; gives how many of them no table takes."""
    fit = [
        one
        for one in page
        if 0 < len(one.order_id) <= 64
        and (one.total is None or is_money(one.total))
        and _are_integers((one.items_shipped, one.items_unshipped))
    ]
    by_id = {clean(one.order_id): one for one in sorted(fit, key=_changed)}
    rows = [
        (
            order_id,
            one.purchased_at,
            one.updated_at,
            cut(one.status, 50),
            cut(one.channel, 50),
            cut(one.marketplace_id, 32),
            one.total,
            cut(one.currency, 10),
            one.items_shipped,
            one.items_unshipped,
            None if one.items is None else documents(one.items),
        )
        for order_id, one in sorted(by_id.items())
    ]
    await put(connection, "put_orders", own.user_id, rows, own.is_mock, own.scenario)
    return len(page) - len(fit)


def documents(items: Sequence[dict[str, Any]]) -> str:
    """Items as JSON that Postgres takes."""
    return clean(encode(items).decode().replace("\\u0000", ""))


def clean(text: str) -> str:
    """A text without what Postgres takes in none."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


async def put(connection: Connection, query: str, user_id: str, rows: Sequence[tuple[Any, ...]], *more: Any) -> None:
    """Write rows by a query, which takes a column of each as an array."""
    if rows:
        await connection.execute(QUERIES[query], user_id, *map(list, zip(*rows, strict=True)), *more)


def cut(text: str | None, characters: int) -> str | None:
    """A text as long as its column takes it."""
    return None if text is None else clean(text)[:characters]


def is_money(amount: Decimal) -> bool:
    """Whether an amount is one that the tables take."""
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and abs(amount) < _MONEY_END and exponent >= _EXPONENT_LEAST


def _are_integers(numbers: Iterable[int | None]) -> bool:
    return all(number is None or -_INTEGER_END <= number < _INTEGER_END for number in numbers)


def _changed(order: Order) -> float:
    return order.updated_at.timestamp() if order.updated_at else 0.0
