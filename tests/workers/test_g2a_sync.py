"""The sync of the catalogue: what it writes, what it leaves as it is, and what is gone."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import pytest_asyncio

from tests.support.g2a_store import PRODUCTS, Store, counts, offered, told
from workers.g2a_sync import STALE
from workers.service import Replied

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

ALL: dict[str, Any] = {"fullSync": True, "includeRelationships": True}
ADD_USER = "INSERT INTO users (id, email, password_hash, nickname) VALUES ('ann', 'ann@shop.example', 'none', 'Ann')"
ADD_ORDER = """
    INSERT INTO store_orders (id, user_id, subtotal, total, idempotency_key)
    VALUES (gen_random_uuid(), 'ann', 0, 0, $1) RETURNING id
"""


@pytest_asyncio.fixture(loop_scope="module")
async def synced(store: Store) -> Store:
    """Everything that G2A has is in the store."""
    await store.sync(**ALL)
    return store


async def some_product(store: Store, number: int = 0) -> str:
    """A product that can be bought."""
    rows = await store.rows("SELECT g2a_product_id FROM games WHERE stock > 50 ORDER BY id OFFSET $1 LIMIT 1", number)
    return rows[0]["g2a_product_id"]


async def test_a_first_sync_makes_a_game_of_each_product(store: Store) -> None:
    ending = await store.sync(**ALL)
    assert counts(ending) == (PRODUCTS, PRODUCTS, 0, 0)
    assert isinstance(ending, Replied)
    assert ending.stale == STALE
    of_g2a = await offered(store.sandbox)
    games = {game["g2a_product_id"]: game for game in await store.rows("SELECT * FROM games")}
    assert games.keys() == of_g2a.keys()
    for product_id, game in games.items():
        told_of = of_g2a[product_id]
        price = (Decimal(str(told_of["minPrice"])) * Decimal("1.02")).quantize(Decimal("0.01"), ROUND_HALF_UP)
        stock = told_of["qty"] if told_of["availableToBuy"] else 0
        assert (game["id"], game["price"], game["stock"]) == (f"g2a-{product_id}", price, stock)
        assert (game["title"], game["platform"]) == (told_of["name"], told_of["platform"])


async def test_labels_are_written_once_each_and_only_when_they_are_asked_for(store: Store) -> None:
    assert told(await store.sync(fullSync=True))["categoriesCreated"] == 0
    assert await store.rows("SELECT FROM labels") == []
    result = told(await store.sync(includeRelationships=True))
    of_g2a = await offered(store.sandbox)
    categories = {category["name"] for product in of_g2a.values() for category in product["categories"]}
    platforms = {product["platform"] for product in of_g2a.values()} - {""}
    assert (result["categoriesCreated"], result["platformsCreated"]) == (len(categories), len(platforms))
    found = await store.rows(
        "SELECT g2a_product_id, kind, name FROM games JOIN game_labels ON game_id = games.id JOIN labels ON "
        "labels.id = label_id"
    )
    assert {(row["g2a_product_id"], row["name"]) for row in found if row["kind"] == "category"} == {
        (product["id"], category["name"]) for product in of_g2a.values() for category in product["categories"]
    }
    assert told(await store.sync(**ALL))["categoriesCreated"] == 0


async def test_what_is_as_it_was_is_not_written_and_no_cache_is_forgotten_for_it(synced: Store) -> None:
    query = "SELECT id, xmin::text AS version FROM games ORDER BY id"
    before = await synced.rows(query)
    for body in (ALL, {}):
        ending = await synced.sync(**body)
        assert counts(ending) == (PRODUCTS, 0, 0, 0)
        assert isinstance(ending, Replied)
        assert ending.stale == ()
    # Rows are locked while they are looked at, but no new version of them is made.
    assert await synced.rows(query) == before


async def test_a_changed_price_and_stock_come_with_the_next_sync(synced: Store) -> None:
    product_id = await some_product(synced)
    await synced.sandbox.control(products=[{"id": product_id, "price_cents": 1025, "quantity": 7}])
    assert counts(await synced.sync()) == (PRODUCTS, 0, 1, 0)
    game = await synced.game(product_id)
    # 10.25 and 2 % are 10.455.
    assert (game["price"], game["stock"]) == (Decimal("10.46"), 7)


async def test_what_an_administrator_has_written_stays_until_g2a_changes_it_or_all_is_synced(synced: Store) -> None:
    product_id = await some_product(synced)
    await synced.desk.pool.execute("UPDATE games SET title = 'Ours', stock = 1 WHERE g2a_product_id = $1", product_id)
    await synced.sync()
    game = await synced.game(product_id)
    assert game["title"] == "Ours"
    assert game["stock"] > 1
    await synced.sync(fullSync=True)
    assert (await synced.game(product_id))["title"] != "Ours"


async def test_units_that_are_paid_and_not_bought_yet_are_not_sold_again(synced: Store) -> None:
    product_id = await some_product(synced)
    await synced.sandbox.control(products=[{"id": product_id, "quantity": 10}])
    await synced.desk.pool.execute(ADD_USER)
    for status, quantity in (("PROCESSING", 3), ("CANCELLED", 2)):
        order = await synced.desk.pool.fetchval(ADD_ORDER, status)
        await synced.desk.pool.execute(
            "INSERT INTO store_order_items VALUES ($1, $2, $3, 1)", order, f"g2a-{product_id}", quantity
        )
        await synced.desk.pool.execute("UPDATE store_orders SET status = 'PROCESSING' WHERE id = $1", order)
        await synced.desk.pool.execute(f"UPDATE store_orders SET status = '{status}' WHERE id = $1", order)
    await synced.sync()
    assert (await synced.game(product_id))["stock"] == 7
    await synced.sandbox.control(products=[{"id": product_id, "quantity": 2}])
    await synced.sync()
    assert (await synced.game(product_id))["stock"] == 0


async def test_a_product_that_is_gone_is_taken_off_sale_and_comes_back_with_its_return(synced: Store) -> None:
    gone, off = await some_product(synced, 0), await some_product(synced, 1)
    await synced.desk.pool.execute("UPDATE games SET active = false WHERE g2a_product_id = $1", off)
    await synced.sandbox.control(products=[{"id": own, "is_removed": True} for own in (gone, off)])
    assert counts(await synced.sync())[3] == 0
    assert counts(await synced.sync(fullSync=True)) == (PRODUCTS - 2, 0, 0, 2)
    game = await synced.game(gone)
    assert (game["active"], game["stock"]) == (False, 0)
    assert counts(await synced.sync(fullSync=True))[3] == 0
    await synced.sandbox.control(products=[{"id": own, "is_removed": False} for own in (gone, off)])
    assert counts(await synced.sync()) == (PRODUCTS, 0, 2, 0)
    game = await synced.game(gone)
    assert game["active"]
    assert game["stock"] > 0
    # An administrator had taken it off before, and that is for him to end.
    assert not (await synced.game(off))["active"]


async def test_what_cannot_be_read_is_told_and_keeps_nothing_else_from_coming(synced: Store) -> None:
    broken = [await some_product(synced, number) for number in range(3)]
    faults = ("no_price", "price_negative", "no_name")
    documents = [{"id": own, "broken": fault} for own, fault in zip(broken, faults, strict=True)]
    before = await synced.game(broken[0])
    await synced.sandbox.control(products=documents)
    result = told(await synced.sync(fullSync=True))
    assert {error["productId"] for error in result["errors"]} == set(broken)
    assert (result["synced"], result["removed"], result["errorCount"]) == (PRODUCTS - 3, 0, 3)
    assert await synced.game(broken[0]) == before


async def test_chosen_products_are_asked_for_by_themselves(store: Store) -> None:
    known = list(await offered(store.sandbox))[:3]
    before = (await store.sandbox.journal())["total"]
    result = told(await store.sync(productIds=[*known, "99999999999999"]))
    assert (result["synced"], result["added"]) == (3, 3)
    assert result["errors"] == [{"productId": "99999999999999", "error": "G2A has no such product"}]
    assert (await store.sandbox.journal())["total"] - before == 4
    assert await store.rows("SELECT count(*) FROM games") == [{"count": 3}]


async def test_only_products_of_the_categories_that_are_asked_for_come(store: Store) -> None:
    of_g2a = await offered(store.sandbox)
    wanted = {own for own, product in of_g2a.items() if "RPG" in [one["name"] for one in product["categories"]]}
    assert 0 < len(wanted) < PRODUCTS
    assert counts(await store.sync(fullSync=True, categories=["rpg"])) == (len(wanted), len(wanted), 0, 0)
    assert {game["g2a_product_id"] for game in await store.rows("SELECT g2a_product_id FROM games")} == wanted


async def test_a_game_that_sells_the_keys_of_a_product_already_keeps_its_id(store: Store) -> None:
    product_id = next(iter(await offered(store.sandbox)))
    insertion = "INSERT INTO games (id, title, price, g2a_product_id) VALUES ($1, 'Old', 1, $2)"
    await store.desk.pool.execute(insertion, "half-life", product_id)
    assert counts(await store.sync(productIds=[product_id])) == (1, 0, 1, 0)
    game = await store.game(product_id)
    assert game["id"] == "half-life"
    assert game["title"] != "Old"
