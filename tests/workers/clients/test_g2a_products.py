"""Reading products of G2A: nothing real is lost, nothing strange raises, and nothing is for sale by mistake."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.support
from workers.clients.g2a import BadProduct, Product
from workers.clients.g2a_products import DIGITS_MAX, PRICE_MAX, QUANTITY_MAX, parse_product, parse_products
from workers.clients.http import read_json

REAL = Path(tests.support.__path__[0], "g2a_products.json")
SOUND = {"id": "10000000024005", "name": "Halo", "qty": 3, "minPrice": 4.99}
# One of each kind, and those that stand for the same.
NAMES = ["id", "name", "qty", "stock", "minPrice", "price", "retailPrice", "retailMinBasePrice", "currency"]
NAMES += ["availableToBuy", "release_date", "updated_at", "updatedAt", "slug", "coverImage", "categories", "genres"]


def real() -> list[dict[str, Any]]:
    """Products of G2A's sandbox and of its own client, with fewer pictures; one has a category twice."""
    return read_json(REAL.read_bytes())


def product(**members: Any) -> Product:
    parsed = parse_product({**SOUND, **members})
    assert isinstance(parsed, Product), parsed
    return parsed


def reason(**members: Any) -> str:
    """Why a product cannot be read; a member that is ... is left out."""
    document = {name: value for name, value in {**SOUND, **members}.items() if value is not ...}
    parsed = parse_product(document)
    assert isinstance(parsed, BadProduct), parsed
    return parsed.reason


@pytest.mark.parametrize("document", real(), ids=lambda document: document["id"])
def test_no_value_of_a_real_product_is_lost(document: dict[str, Any]) -> None:
    parsed = parse_product(document)
    assert isinstance(parsed, Product), parsed
    told = {str(value) for value in msgspec.structs.asdict(parsed).values()}
    lost = {
        name: value
        for name, value in document.items()
        if value != "" and str(value) not in told and parsed.details.get(name, ...) != value
    }
    assert lost == {}


def test_what_real_products_say_stands_where_it_is_looked_for() -> None:
    pack, points, game, old = (one for one in parse_products(real())[0])
    assert (pack.price, pack.retail_price, pack.quantity, pack.stock) == (Decimal("4.99"), Decimal("9.25"), 2926, 0)
    assert pack.details["priceLimit"] == {"min": Decimal("4.99"), "max": Decimal("5.99")}
    assert points.categories == ("Gaming Subscriptions", "Gaming")
    assert points.details["categories"][2] == {"id": 1459, "name": "Gaming Subscriptions"}
    assert points.details["priceLimit"] == {"min": None, "max": None}
    assert (game.price, game.platform, game.released_on) == (Decimal(11), "Steam", date(2012, 11, 12))
    assert (old.stock, old.is_for_sale, old.publisher, old.region) == (20, True, "Serdar Ateş", "GLOBAL")
    assert old.description.startswith("<")


def test_what_is_not_for_sale_has_no_stock_whatever_its_quantity_is() -> None:
    for told in (False, "false", 0, "no", [], {}):
        assert (product(availableToBuy=told).stock, product(availableToBuy=told).quantity) == (0, 3), told
    for told in (True, "true", 1, "", None):
        assert product(availableToBuy=told).stock == 3, told


@pytest.mark.parametrize("name", ["qty", "stock", "quantity", "available"])
def test_each_name_of_the_quantity_is_known(name: str) -> None:
    document = {"id": "1", "name": "Halo", "minPrice": 1, name: 7}
    assert parse_product(document) == Product(id="1", name="Halo", price=Decimal(1), stock=7, quantity=7)


@pytest.mark.parametrize("name", ["minPrice", "price", "retailPrice"])
def test_each_name_of_the_price_is_known(name: str) -> None:
    parsed = parse_product({"id": "1", "name": "Halo", "qty": 1, "minPrice": "", "price": None, name: "2.50"})
    assert isinstance(parsed, Product)
    assert parsed.price == Decimal("2.50")


def test_numbers_are_read_as_they_are_written() -> None:
    assert read_json(b'{"minPrice": 0.1}')["minPrice"] == Decimal("0.1")
    for told in (19, 19.0, "19", " 19.00 ", Decimal("19")):
        assert product(minPrice=told).price == 19, told
    for told in (3, 3.0, "3", "3.0"):
        assert product(qty=told).quantity == 3, told


def test_nothing_is_read_as_nothing() -> None:
    empty = product(qty="", retail_min_price="", platform="", region=None, release_date="", updated_at="", genres=[])
    assert (empty.quantity, empty.stock, empty.retail_price) == (0, 0, None)
    assert (empty.platform, empty.region, empty.released_on, empty.updated_at, empty.genres) == ("", "", None, None, ())
    assert product(qty=-4).quantity == 0
    assert product(qty=10**15).quantity == QUANTITY_MAX


def test_moments_are_read_in_both_spellings_and_with_or_without_a_zone() -> None:
    then = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    for told in ("2026-01-31 12:00:00", "2026-01-31T12:00:00Z", "2026-01-31T14:00:00+02:00"):
        assert product(updated_at=told).updated_at == product(updatedAt=told).updated_at == then
    assert product(releaseDate="2012-11-12").released_on == product(release_date="2012-11-12").released_on
    strange = product(release_date="soon", updated_at="0001-01-01T00:00:00+23:59")
    assert (strange.released_on, strange.updated_at) == (None, None)
    assert strange.details == {"release_date": "soon", "updated_at": "0001-01-01T00:00:00+23:59"}


def test_what_cannot_be_read_says_why() -> None:
    assert reason(id=...) == reason(id="") == reason(id=None) == "it has no id"
    assert reason(id="a b") == reason(id="x" * 65) == reason(id=[1]) == "its id is not of letters, digits, . _ and -"
    assert reason(name="") == reason(name=...) == reason(name=7) == "it has no name"
    assert reason(minPrice=...) == reason(minPrice="") == "it has no price"
    for told in ("free", True, [], {}, "1e3", "NaN"):
        assert reason(minPrice=told) == "its minPrice is no number", told
    assert reason(minPrice=-1) == "its price is below zero"
    assert reason(minPrice=PRICE_MAX + 1) == f"its price is above {PRICE_MAX}"
    assert reason(minPrice=Decimal("1e-9")) == f"its price has more than {DIGITS_MAX} digits behind the point"
    assert reason(minPrice=0) == "it costs nothing, and is for sale"
    assert reason(qty=...) == "it has no quantity"
    assert reason(qty="many") == "its qty is no number"
    assert reason(qty=1.5) == "its quantity is no whole number"
    assert reason(currency="euro") == "its currency is not of three letters"
    assert parse_product(["a", "list"]) == BadProduct("", "it is no object")
    assert parse_product({**SOUND, "name": ""}) == BadProduct(SOUND["id"], "it has no name")


def test_what_costs_nothing_and_cannot_be_bought_is_no_fault() -> None:
    assert product(minPrice=0, qty=0).stock == product(minPrice=0, availableToBuy=False).stock == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON | st.dictionaries(st.sampled_from(NAMES), JSON, max_size=len(NAMES)))
def test_whatever_is_told_gives_a_product_or_a_reason(document: Any) -> None:
    kept = parse_product({**SOUND, **document} if isinstance(document, dict) else document)
    if isinstance(kept, BadProduct):
        assert kept.reason
        return
    assert 0 <= kept.stock <= kept.quantity <= QUANTITY_MAX
    assert 0 <= kept.price <= PRICE_MAX
    assert kept.price or not kept.stock
    assert kept.updated_at is None or kept.updated_at.tzinfo is UTC


@given(st.binary() | JSON.map(lambda value: json.dumps(value, default=str).encode()))
def test_whatever_a_body_holds_is_json_or_a_value_error(body: bytes) -> None:
    try:
        document = read_json(body)
    except ValueError:
        return
    assert "\0" not in msgspec.json.encode(document).decode().replace(r"\u0000", "\0")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"1e99999999999999999999", b'"\xff"', b'{"a": ', b"", b"<html>", b"NaN"]
)
def test_what_is_no_json_is_told(body: bytes) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        read_json(body)


def test_the_character_that_postgres_does_not_take_is_left_out() -> None:
    assert read_json(rb'{"na\u0000me": ["Ha\u0000lo", 1]}') == {"name": ["Halo", 1]}
