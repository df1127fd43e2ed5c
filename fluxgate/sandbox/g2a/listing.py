"""Pages of the catalogue, filtered or not."""

import asyncio
from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from fluxgate.sandbox.g2a.catalogue import Catalogue

# Products that are looked at before other requests get their turn.
STRIDE = 1000


class Filter(NamedTuple):
    """What products have to be; None stands for whatever."""

    quantity_min: int | None = None
    price_min_cents: int | None = None
    price_max_cents: int | None = None
    changed_from: datetime | None = None
    changed_to: datetime | None = None


class Listing:
    """The catalogue in pages; it remembers the last filter's answer as long as nothing changes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._asked: tuple[Filter, int] | None = None
        self._found: array[int] = array("I")

    def page(self, number: int, size: int) -> tuple[int, Sequence[int]]:
        """How many products there are, and those of page `number`, from 1."""
        catalogue = self._catalogue
        removed = sorted(p for p, own in catalogue.own.items() if own.is_removed and p < catalogue.size)
        total = catalogue.size - len(removed)
        first, last = min((number - 1) * size, total), min(number * size, total)
        # A product stands as many places before its number as products were removed before it.
        found: list[int] = []
        for place in range(first, last):
            product = place
            for gone in removed:
                if gone > product:
                    break
                product += 1
            found.append(product)
        return total, found

    async def filtered(self, wanted: Filter, number: int, size: int) -> tuple[int, Sequence[int]]:
        """The same of the products that pass a filter."""
        if self._asked != (wanted, self._catalogue.version):
            asked, found = (wanted, self._catalogue.version), array("I")
            for product in range(self._catalogue.size):
                if product % STRIDE == 0:
                    await asyncio.sleep(0)
                if not self._catalogue.is_removed(product) and self._passes(wanted, product):
                    found.append(product)
            self._asked, self._found = asked, found
        return len(self._found), self._found[(number - 1) * size : number * size]

    def _passes(self, wanted: Filter, product: int) -> bool:
        catalogue = self._catalogue
        if wanted.quantity_min is not None and catalogue.quantity(product) < wanted.quantity_min:
            return False
        if wanted.price_min_cents is not None and catalogue.price_cents(product) < wanted.price_min_cents:
            return False
        if wanted.price_max_cents is not None and catalogue.price_cents(product) > wanted.price_max_cents:
            return False
        if wanted.changed_from is None and wanted.changed_to is None:
            return True
        changed = catalogue.changed_at(product).replace(microsecond=0)
        return (wanted.changed_from is None or changed >= wanted.changed_from) and (
            wanted.changed_to is None or changed <= wanted.changed_to
        )
