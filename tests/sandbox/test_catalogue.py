"""The catalogue: the same every time, like that of G2A, as large as wanted, and moving."""

from typing import Any

from tests.support.sandbox import Sandbox


async def products(sandbox: Sandbox, page: int = 1) -> list[Any]:
    return (await sandbox.contract("GET", f"/products?perPage=100&page={page}")).json()["data"]


async def test_it_is_the_same_after_a_reset(sandbox: Sandbox) -> None:
    before = await products(sandbox)
    await sandbox.control(products=[{"id": before[0]["id"], "price_cents": 1}], day=3)
    assert await products(sandbox) != before
    await sandbox.reset()
    assert await products(sandbox) == before


async def test_it_has_everything_that_makes_the_real_one_hard_to_read(sandbox: Sandbox) -> None:
    await sandbox.control(size=500)
    found = [product for page in range(1, 6) for product in await products(sandbox, page)]
    assert all(len(product["id"]) == 14 and product["id"].isdigit() for product in found)
    assert {type(product["minPrice"]) for product in found} == {int, float}
    assert any(product["qty"] and not product["availableToBuy"] for product in found)
    assert any(product["qty"] == 0 for product in found)
    assert any(product["priceLimit"] == {"min": None, "max": None} for product in found)
    for name in ("platform", "region", "updated_at", "release_date", "developer", "publisher", "type"):
        assert {bool(product[name]) for product in found} == {True, False}, name
    assert len({product["name"] for product in found}) == 500


async def test_each_day_moves_an_eighth_of_it_and_tells_when(sandbox: Sandbox) -> None:
    before = await products(sandbox)
    await sandbox.control(day=1)
    after = await products(sandbox)
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert 12 <= len(moved) <= 13
    assert all(new["updated_at"] > "2026-01-01" for _, new in moved)
    assert any(old["qty"] != new["qty"] and old["minPrice"] != new["minPrice"] for old, new in moved)
    await sandbox.control(day=8)
    assert all(product["updated_at"] > "2026-01-01" for product in await products(sandbox))
    assert (await sandbox.ask("PUT", "/sandbox/control", {"day": 7})).status == 400


async def test_a_million_products_are_there_at_once(sandbox: Sandbox) -> None:
    await sandbox.control(size=1_000_000)
    last = await products(sandbox, 10_000)
    assert len(last) == 100
    assert (await sandbox.contract("GET", f"/products/{last[-1]['id']}")).json() == last[-1]


async def test_a_removed_product_is_gone_and_the_others_move_up(sandbox: Sandbox) -> None:
    before = await products(sandbox)
    gone = [before[0]["id"], before[50]["id"], before[51]["id"]]
    await sandbox.control(products=[{"id": product_id, "is_removed": True} for product_id in gone])
    after = await products(sandbox)
    assert [product["id"] for product in after[:97]] == [p["id"] for p in before if p["id"] not in gone]
    assert len(after) == 100
    assert (await sandbox.contract("GET", f"/products/{gone[0]}")).status == 404
    order = await sandbox.contract("POST", "/orders", {"productId": gone[0], "quantity": 1})
    assert (order.status, order.json()["error"]["code"]) == (402, "OUT_OF_STOCK")
    await sandbox.control(products=[{"id": gone[0], "is_removed": False}])
    assert (await products(sandbox))[0]["id"] == gone[0]


async def test_products_can_be_broken_in_every_way(sandbox: Sandbox) -> None:
    ways = ["no_id", "no_name", "no_price", "price_text", "price_negative", "quantity_text", "categories_text", "empty"]
    ids = [product["id"] for product in await products(sandbox)]
    await sandbox.control(
        products=[{"id": product_id, "broken": way} for product_id, way in zip(ids, ways, strict=False)]
    )
    spoilt = dict(zip(ways, await products(sandbox), strict=False))
    assert "id" not in spoilt["no_id"]
    assert spoilt["no_name"]["name"] == ""
    assert [spoilt[way]["minPrice"] for way in ways[2:5]] == [None, "free", -1]
    assert spoilt["quantity_text"]["qty"] == "many"
    assert spoilt["categories_text"]["categories"] == "Games"
    assert spoilt["empty"] == {"id": ids[7]}
