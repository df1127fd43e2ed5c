"""What the tests of both clients of G2A do again and again."""

import uuid
from collections.abc import Awaitable
from typing import Any

import pytest
import stamina

from tests.support.sandbox import Sandbox
from workers.clients.g2a import G2A, G2AFault, Product, Wanted


async def some(g2a: G2A) -> Product:
    """A product that can be bought."""
    return next(one for one in (await g2a.list_products(1)).products if one.stock > 5)


def wanted(product: Product, quantity: int = 1) -> Wanted:
    return Wanted(str(uuid.uuid4()), product.id, quantity, product.price)


async def fault_of(work: Awaitable[Any]) -> G2AFault:
    with stamina.set_testing(True, attempts=2), pytest.raises(G2AFault) as fault:
        await work
    return fault.value


async def asked(sandbox: Sandbox, route: str) -> int:
    """How often a route was asked for."""
    return sum((await sandbox.journal())["totals"].get(route, {}).values())
