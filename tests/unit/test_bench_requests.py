"""The requests that the bench prebuilds, and the hosts that it refuses."""

import uuid

import msgspec
import pytest

from bench.loopback import HostRefusedError, loopback_port
from bench.requests import order_bytes, order_key, order_maker, product_names


@pytest.mark.parametrize("product", ["phone", "phone 100%", "Zoë's"])
def test_every_prebuilt_order_is_the_order_that_would_be_built_by_hand(product: str):
    make = order_maker(3000, 7, product)
    for number in (0, 1, 999_999):
        assert make(number) == order_bytes(3000, order_key(7, number), product, f"buyer-{number:012d}")


def test_orders_for_several_products_go_to_them_in_turn():
    make, names = order_maker(3000, 7, "phone 100%", 3), product_names("phone 100%", 3)
    assert len(set(names)) == 3
    for number in range(7):
        assert make(number) == order_bytes(3000, order_key(7, number), names[number % 3], f"buyer-{number:012d}")


def test_an_order_states_the_length_of_its_body():
    head, _, body = order_bytes(3000, "k", "phone", "Zoë").partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert msgspec.json.decode(body) == {"productId": "phone", "userId": "Zoë"}


def test_keys_are_uuids_and_differ_between_runs():
    assert uuid.UUID(order_key(1, 5)) != uuid.UUID(order_key(2, 5))


def test_load_goes_to_this_machine():
    assert loopback_port("http://127.0.0.1:3000") == 3000


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com:3000",
        "http://127.0.0.1.example.com:3000",
        "http://127.0.0.1@example.com:3000",
        "http://example.com@127.0.0.1:3000",
        "https://127.0.0.1:3000",
        "http://0.0.0.0:3000",
        "http://127.0.0.1",
        "http://127.0.0.1:99999",
        "127.0.0.1:3000",
        "",
    ],
)
def test_load_to_any_other_host_is_refused_in_one_sentence(url: str):
    with pytest.raises(HostRefusedError, match="only to this machine"):
        loopback_port(url)
