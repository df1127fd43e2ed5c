"""What a seller has in Amazon's warehouses, computed from numbers."""

from typing import NamedTuple

from fluxgate.sandbox.amazon.chance import digest
from fluxgate.sandbox.amazon.products import Products
from fluxgate.sandbox.amazon.timeline import spread

CONDITIONS = ("NewItem", "NewItem", "NewItem", "UsedLikeNew", "CollectibleGood", "Refurbished", "")


class Stock(NamedTuple):
    """One SKU; what is None or empty is not told. `updated_at` is in seconds of Unix time."""

    number: int
    sku: str
    asin: str
    fnsku: str
    name: str
    condition: str
    available: int
    reserved: int
    inbound: tuple[int, int, int]
    researching: int
    unfulfillable: int
    updated_at: int

    @property
    def total(self) -> int:
        """All units, wherever they are."""
        return self.available + self.reserved + sum(self.inbound) + self.researching + self.unfulfillable


class Warehouse:
    """The SKUs of a seller, in the order of their numbers."""

    def __init__(self, products: Products, begins: int, ends: int) -> None:
        self._products = products
        self._at = spread(products.count, begins, ends)
        self.count = products.count
        # How often a SKU has changed, and when; SKUs that are gone.
        self._changes: dict[int, tuple[int, int]] = {}
        self._gone: set[int] = set()

    @property
    def changes(self) -> int:
        """SKUs that are not as computed."""
        return len(self._changes) + len(self._gone)

    @property
    def numbers(self) -> list[int]:
        """The SKUs that are there."""
        return [number for number in range(self.count) if number not in self._gone]

    def next_numbers(self, last: int, size: int) -> tuple[list[int], bool]:
        """The next SKUs after number `last`, and whether others follow them."""
        found: list[int] = []
        for number in range(last + 1, self.count):
            if number in self._gone:
                continue
            if len(found) == size:
                return found, True
            found.append(number)
        return found, False

    def add(self, at: int) -> int:
        """Let a SKU come."""
        number = self.count
        self.count += 1
        self._changes[number] = (0, at)
        return number

    def remove(self, number: int) -> None:
        """Let a SKU vanish."""
        self._gone.add(number)
        self._changes.pop(number, None)

    def change(self, number: int, at: int) -> None:
        """Let a SKU have other quantities."""
        self._changes[number] = (self._changes.get(number, (0, 0))[0] + 1, at)

    def stock(self, number: int) -> Stock:
        """One SKU as it is now."""
        times, at = self._changes.get(number, (0, 0))
        by_chance, own = digest(self._products.seller, f"stock{times}", number), self._products.chance(number)
        is_empty = by_chance[0] % 8 == 0
        return Stock(
            number,
            self._products.sku(number),
            self._products.asin(number),
            "" if number % 19 == 7 else f"X{own[6:11].hex()[:9].upper()}",
            self._products.name(number),
            CONDITIONS[own[11] % len(CONDITIONS)],
            0 if is_empty else int.from_bytes(by_chance[1:3], "big") % 2000,
            0 if is_empty else by_chance[3] % 20,
            (by_chance[4] % 3 * 10, by_chance[5] % 4 * 25, by_chance[6] % 2 * 5),
            by_chance[7] % 16 // 15,
            by_chance[8] % 8 // 6,
            at or self._at(number),
        )
