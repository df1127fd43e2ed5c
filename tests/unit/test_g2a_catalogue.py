"""What the store makes of a product of G2A."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.games import PRICE_MAX, GameBody, is_game_id
from workers.clients.g2a import Product
from workers.clients.g2a_products import parse_products
from workers.g2a_catalogue import GAME_PREFIX, LABELS_MAX, Unfit, as_row, is_of, sales_price

SAMPLES = Path(__file__).parents[1] / "support" / "g2a_products.json"


def product(**more: Any) -> Product:
    """A product, but for what a test says of it."""
    given: dict[str, Any] = {
        "id": "10000000024005",
        "name": "Killing Floor 2",
        "price": Decimal("5.5"),
        "stock": 3,
        "quantity": 3,
    }
    return Product(**given | more)


@pytest.mark.parametrize(
    ("asked", "ours"),
    [
        ("4.99", "5.09"),  # 5.0898
        ("19", "19.38"),
        ("0.25", "0.26"),  # 0.255: half a cent is rounded up
        ("0.75", "0.77"),  # 0.765: and not to the even one
        ("10.25", "10.46"),
        ("0", "0.00"),
        ("0.01", "0.01"),
    ],
)
def test_a_game_costs_two_percent_more_with_half_cents_rounded_up(asked: str, ours: str) -> None:
    assert str(sales_price(Decimal(asked))) == ours


@pytest.mark.parametrize("price", ["-0.01", "NaN", "Infinity", "1e15", str(PRICE_MAX)])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(Unfit, match="its price"):
        sales_price(Decimal(price))


@pytest.mark.parametrize(
    "change", [{"id": ""}, {"id": "a b"}, {"id": "x" * 61}, {"name": "\x00 \n"}, {"currency": "USD"}]
)
def test_what_no_text_can_be_shortened_for_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Unfit):
        as_row(product(**change))


def test_texts_are_made_to_fit() -> None:
    row = as_row(
        product(
            name="Half\x00-Life\n2 \x85" + "x" * 300,
            description="one\r\ntwo\x07three\ud800" + "y" * 20_000,
            platform=" Steam\t",
            genres=("Shooter", "", "Shooter", "g" * 100),
            categories=tuple(f"c{number}" for number in range(50)),
            image="javascript:alert(1)",
            details={"a\x00": ["b\x00", {"c": None}]},
        )
    )
    assert row.title.startswith("Half -Life 2 xxx")
    assert len(row.title) == 200
    assert row.description.startswith("one\ntwo three y")
    assert len(row.description) <= 10_000
    assert (row.platform, row.genre, row.image) == ("Steam", "Shooter", "")
    assert [name for kind, name in row.labels if kind == "genre"] == ["Shooter", "g" * 64]
    assert len([name for kind, name in row.labels if kind == "category"]) == LABELS_MAX
    assert row.details == '{"a":["b",{"c":null}]}'
    assert msgspec.convert({"title": row.title, "price": row.price, "description": row.description}, GameBody)


def test_a_game_is_another_when_anything_of_it_changes_but_its_stock() -> None:
    first = as_row(product()).fingerprint
    assert as_row(product(stock=0, quantity=0)).fingerprint == first
    for change in (
        {"name": "Other"},
        {"price": Decimal("5.51")},
        {"categories": ("Games",)},
        {"released_on": date(2016, 11, 18)},
        {"details": {"region": "EU"}},
    ):
        assert as_row(product(**change)).fingerprint != first, change


def test_a_category_is_found_in_whatever_case_it_is_written() -> None:
    assert is_of(product(categories=("Gaming", "Games")), ["GAMES"])
    assert not is_of(product(categories=("Games",)), ["Gift cards"])
    assert is_of(product(), None)


def test_every_real_product_becomes_a_game() -> None:
    products, bad = parse_products(msgspec.json.Decoder(float_hook=Decimal).decode(SAMPLES.read_bytes()))
    assert products
    assert not bad
    for one in products:
        row = as_row(one)
        assert is_game_id(GAME_PREFIX + row.product_id)
        assert row.title == " ".join(one.name.split())[:200]
        assert row.price > one.price
