"""Orders of a seller, computed from their numbers."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from fluxgate.sandbox.amazon.chance import digest
from fluxgate.sandbox.amazon.products import Products
from fluxgate.sandbox.amazon.timeline import Timeline, spread

# Numbers are spread over seven digits of the id by multiplication, and come back by the inverse.
IDS = 10_000_000
FACTOR = 1_234_577
INVERSE = pow(FACTOR, -1, IDS)
# An order settles in the hours after it was made; until then it is one of the newest.
SETTLES_S = 6 * 3600
FRESH_MIN = 6
FRESH_SHARE = 50
FRESH = ("Pending", "Unshipped", "PartiallyShipped")
# Of a hundred settled ones.
SETTLED = ("Canceled",) * 8 + ("PartiallyShipped",) * 3 + ("Unfulfillable", "InvoiceUnconfirmed", "PendingAvailability")
NEXT = {
    "PendingAvailability": "Pending",
    "Pending": "Unshipped",
    "InvoiceUnconfirmed": "Unshipped",
    "Unshipped": "Shipped",
    "PartiallyShipped": "Shipped",
}
WITHOUT_PRICES = ("Pending", "PendingAvailability", "Canceled")
CURRENCIES = ("USD", "USD", "USD", "USD", "USD", "EUR", "JPY")


class Item(NamedTuple):
    """What was ordered. The price is that of all units; None while the order is pending."""

    id: str
    asin: str
    sku: str
    title: str
    ordered: int
    shipped: int
    price: Decimal | None
    tax: Decimal | None


class Order(NamedTuple):
    """An order. Times are in seconds of Unix time; the channel is AFN, Amazon's, or MFN, the merchant's."""

    number: int
    id: str
    purchased_at: int
    updated_at: int
    status: str
    channel: str
    currency: str
    items: Sequence[Item]

    @property
    def total(self) -> Decimal | None:
        """What it costs; None where no prices are told."""
        prices = [item.price + item.tax for item in self.items if item.price is not None and item.tax is not None]
        return sum(prices, Decimal(0)) if prices else None

    @property
    def shipped(self) -> int:
        """Units that have been sent."""
        return sum(item.shipped for item in self.items)

    @property
    def unshipped(self) -> int:
        """Units that have not."""
        return sum(item.ordered - item.shipped for item in self.items)


class Orders:
    """The orders of a seller."""

    def __init__(self, products: Products, count: int, begins: int, ends: int) -> None:
        self.products = products
        # Those that were there from the start.
        self.base = count
        purchased = spread(count, begins, ends - 60)
        self.by_purchase = Timeline(count, purchased)
        # Never falls: it grows by one or by a half second with each second of the purchase.
        self.by_update = Timeline(count, lambda n: (p := purchased(n)) + min(SETTLES_S, (ends - p) // 2))
        self._changes: dict[int, int] = {}

    @property
    def changes(self) -> int:
        """Orders that are not as computed."""
        return len(self._changes) + self.by_update.count - self.base

    def add(self, at: int) -> int:
        """Let an order come."""
        self.by_update.add(at)
        return self.by_purchase.add(at)

    def change(self, number: int, at: int) -> None:
        """Let an order get its next status."""
        self._changes[number] = self._changes.get(number, 0) + 1
        self.by_update.move(number, at)

    def find(self, order_id: str) -> int | None:
        """The number of the order that has this id."""
        middle = order_id[4:11]
        if not (middle.isascii() and middle.isdigit()):
            return None
        number = int(middle) * INVERSE % IDS
        return number if number < self.by_purchase.count and self.id_of(number) == order_id else None

    def id_of(self, number: int) -> str:
        """The id of an order: 3, 7 and 7 digits."""
        by_chance = digest(self.products.seller, "order", number)
        first, last = int.from_bytes(by_chance[:2], "big") % 900 + 100, int.from_bytes(by_chance[2:6], "big") % IDS
        return f"{first}-{number * FACTOR % IDS:07}-{last:07}"

    def order(self, number: int) -> Order:
        """One order as it is now."""
        by_chance = digest(self.products.seller, "order", number)
        status = self._status(number, by_chance)
        return Order(
            number,
            self.id_of(number),
            self.by_purchase.at(number),
            self.by_update.at(number),
            status,
            "MFN" if by_chance[6] % 4 == 0 else "AFN",
            CURRENCIES[by_chance[7] % len(CURRENCIES)],
            [self._item(number, place, status, by_chance) for place in range(_item_count(number, by_chance))],
        )

    def _status(self, number: int, by_chance: bytes) -> str:
        rank = self.base - 1 - number
        if rank < max(FRESH_MIN, self.base // FRESH_SHARE):
            status = FRESH[number % len(FRESH)]
        else:
            place = int.from_bytes(by_chance[8:10], "big") % 100
            status = SETTLED[place] if place < len(SETTLED) else "Shipped"
        for _ in range(self._changes.get(number, 0)):
            status = NEXT.get(status, status)
        return status

    def _item(self, number: int, place: int, status: str, by_chance: bytes) -> Item:
        product = (int.from_bytes(by_chance[10:14], "big") + place) % max(1, self.products.count)
        units = 1 + by_chance[14 + place % 4] % 3
        cents = 99 + int.from_bytes(by_chance[18:20], "big") % 9000 + place
        is_yen = CURRENCIES[by_chance[7] % len(CURRENCIES)] == "JPY"
        price = Decimal(cents * units) if is_yen else Decimal(cents * units) / 100
        is_priced = status not in WITHOUT_PRICES
        ordered = 0 if status == "Canceled" else units
        is_sent = status == "Shipped" or (status == "PartiallyShipped" and place == 0)
        sent = ordered - 1 if status == "PartiallyShipped" and ordered > 1 else ordered
        return Item(
            f"{number * FACTOR % IDS:07}{place:03}{by_chance[20]:03}",
            self.products.asin(product),
            self.products.sku(product),
            self.products.name(product),
            ordered,
            sent if is_sent else 0,
            price if is_priced else None,
            (Decimal(0) if is_yen else (price * 8 / 100).quantize(Decimal("0.01"))) if is_priced else None,
        )


def _item_count(number: int, by_chance: bytes) -> int:
    return 12 if number % 97 == 13 else 1 + by_chance[21] % 3
