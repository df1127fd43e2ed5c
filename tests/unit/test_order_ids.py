"""Order ids: UUIDs that say where their record is, and nothing of the key that made them."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.order_ids import LANES_MAX, digest_of, key_digest, make_order_id, parse_order_id

SECRET = b"the tests' secret"
TIMES_MS = st.integers(0, 2**48 - 1)
LANES = st.integers(0, LANES_MAX - 1)
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255)


def test_an_id_that_has_been_given_out_is_never_made_differently() -> None:
    digest = key_digest("key-1", SECRET)
    assert digest == "b3c86890d92236bd"
    assert make_order_id(1_795_264_284_200, 7, digest) == "01a1fe17-0628-7007-b3c8-6890d92236bd"


@given(TIMES_MS, LANES, KEYS)
def test_an_id_holds_lane_and_digest_and_is_a_uuid_of_version_7(now_ms: int, lane: int, key: str) -> None:
    digest = key_digest(key, SECRET)
    order_id = make_order_id(now_ms, lane, digest)
    assert parse_order_id(order_id) == (lane, digest)
    assert digest_of(order_id) == digest
    found = uuid.UUID(order_id)
    assert str(found) == order_id
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.int >> 80 == now_ms


@given(TIMES_MS, TIMES_MS)
def test_ids_sort_by_the_time_they_were_asked_for(one: int, other: int) -> None:
    digest = key_digest("key", SECRET)
    ids = [make_order_id(now, 0, digest) for now in (one, other)]
    assert (ids[0] <= ids[1]) == (one <= other)


@given(KEYS, KEYS)
def test_equal_keys_and_only_they_have_equal_digests(one: str, other: str) -> None:
    assert (key_digest(one, SECRET) == key_digest(other, SECRET)) == (one == other)


@given(KEYS)
def test_another_installation_makes_another_digest_of_the_same_key(key: str) -> None:
    assert key_digest(key, SECRET) != key_digest(key, b"another")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "order-1",
        "01a1fe17-0628-4007-b3c8-6890d92236bd",
        "01a1fe17-0628-7007-c3c8-6890d92236bd",
        "01A1FE17-0628-7007-B3C8-6890D92236BD",
        "01a1fe1706287007b3c86890d92236bd",
        "01a1fe17-0628-7007-b3c8-6890d92236bd\n",
        " 01a1fe17-0628-7007-b3c8-6890d92236bd",
        "{01a1fe17-0628-7007-b3c8-6890d92236bd}",
        "\u06601a1fe17-0628-7007-b3c8-6890d92236bd",
        "x" * 100_000,
    ],
)
def test_what_is_no_order_id_is_none(text: str) -> None:
    assert parse_order_id(text) is None


@given(st.text(max_size=60))
def test_no_text_makes_the_parser_raise(text: str) -> None:
    assert parse_order_id(text) is None or make_order_id(0, 0, "8" * 16)[8:9] == "-"
