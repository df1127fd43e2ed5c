"""A sale of a test's own on a gateway that other tests use too."""

from typing import NamedTuple

from tests.support.http import get


class Sale(NamedTuple):
    """The port of the gateway, the product that nobody else knows, and the units it opened with."""

    port: int
    product: str
    units: int

    async def left(self) -> int:
        """Units left, as the gateway tells them."""
        return (await get(self.port, f"/inventory/{self.product}")).json()["available"]
