"""What a seller has in Amazon's warehouses, computed from numbers."""

from typing import NamedTuple

from fluxgate.sandbox.amazon.chance import digest
from fluxgate.sandbox.amazon.timeline import spread

CONDITIONS = ("NewItem", "NewItem", "NewItem", "UsedLikeNew", "CollectibleGood", "Refurbished", "")
FORMS = (
    "SKU-{:06}",
    "{:07}",
    "sku {:d} (blue/xl)",
    "Größe-{:d}",
    "商品-{:d}",
    "=A1+{:d}",
    "{:d}'; --",
    'B&W <{:d}> "x"',
    "{:d}%2F+%20",
)
NAMES = (
    "Paper Lantern, set of {}",
    "Steel bottle {} ml",
    "Lampe für Garten & Balkon №{}",
    "<b>Kettle</b> {} W \U0001fad6",
    "“Quoted” cup {}\ttab",
    "ワイヤレスイヤホン {}",
)


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

    def __init__(self, seller: str, count: int, begins: int, ends: int) -> None:
        self._seller = seller
        self._base = count
        self._at = spread(count, begins, ends)
        self.count = count
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
        by_chance = digest(self._seller, f"stock{times}", number)
        is_empty = by_chance[0] % 8 == 0
        return Stock(
            number,
            sku(self._seller, number),
            asin(self._seller, number),
            "" if number % 19 == 7 else f"X{digest(self._seller, 'fnsku', number).hex()[:9].upper()}",
            product_name(self._seller, number),
            CONDITIONS[digest(self._seller, "fnsku", number)[10] % len(CONDITIONS)],
            0 if is_empty else int.from_bytes(by_chance[1:3], "big") % 2000,
            0 if is_empty else by_chance[3] % 20,
            (by_chance[4] % 3 * 10, by_chance[5] % 4 * 25, by_chance[6] % 2 * 5),
            by_chance[7] % 16 // 15,
            by_chance[8] % 8 // 6,
            at or self._at(number),
        )


def sku(seller: str, number: int) -> str:
    """What the seller calls a product; ugly where sellers are."""
    form = FORMS[digest(seller, "fnsku", number)[11] % len(FORMS)] if number % 5 == 0 else FORMS[0]
    return form.format(number)


def asin(seller: str, number: int) -> str:
    """What Amazon calls a product."""
    return f"B0{digest(seller, 'fnsku', number).hex()[12:20].upper()}"


def product_name(seller: str, number: int) -> str:
    """What buyers call a product."""
    return NAMES[digest(seller, "fnsku", number)[21] % len(NAMES)].format(number)
