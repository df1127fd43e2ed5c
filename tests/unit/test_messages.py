"""The outbox's messages: golden bytes that older entries still have, and every damage that an entry can take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import (
    ID_LENGTH_MAX,
    KEY_LENGTH_MAX,
    QUANTITY_MAX,
    STATES,
    Order,
    OrderAccepted,
    OrderCancelled,
    Poison,
    Record,
    SaleOpened,
    decode_entry,
    decode_record,
    encode_order,
    encode_record,
)

ORDER_ID = "01a1fe17-0628-7007-b3c8-6890d92236bd"
OTHER_ID = "01a1fe17-0628-7007-b3c8-6890d92236be"
ORDER = Order("ps5", "ann", 2, "key-1")
PAYLOAD = b'["ps5","ann",2,"key-1"]'
EPOCH = 1_795_264_284_200_973
VALUE = b"1795264284200973" + PAYLOAD
AT = b"1795264285000000"
AT_US = 1_795_264_285_000_000

identifiers = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\x7f"), min_size=1, max_size=ID_LENGTH_MAX
)
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=KEY_LENGTH_MAX)
orders = st.builds(Order, identifiers, identifiers, st.integers(1, QUANTITY_MAX), keys)


def test_the_golden_bytes_of_an_order() -> None:
    assert encode_order(ORDER) == PAYLOAD


def test_the_golden_bytes_of_an_accepted_order() -> None:
    entry = {b"kind": b"orders", b"at": AT, ORDER_ID.encode(): VALUE}
    assert decode_entry(entry) == [OrderAccepted(ORDER_ID, EPOCH, AT_US, ORDER)]


def test_the_golden_bytes_of_a_cancelled_order() -> None:
    entry = {b"kind": b"cancelled", b"at": AT, ORDER_ID.encode(): VALUE}
    assert decode_entry(entry) == [OrderCancelled(ORDER_ID, EPOCH, AT_US, ORDER)]


def test_the_golden_bytes_of_an_opened_sale() -> None:
    value = b"1795264284200973:100:2:1795264284100000:7:3:ps5"
    entry = {b"kind": b"opened", b"at": AT, b"sale": value}
    assert decode_entry(entry) == [SaleOpened("ps5", EPOCH, 100, 2, 1_795_264_284_100_000, 7, 3, AT_US)]


def test_the_golden_bytes_of_a_record() -> None:
    raw = b"p" + ORDER_ID.encode() + AT + VALUE
    record = Record("persisted", ORDER_ID, AT_US, EPOCH, ORDER)
    assert decode_record(raw) == record
    assert encode_record(record) == raw


def test_the_name_of_a_product_may_hold_the_separator() -> None:
    (command,) = decode_entry({b"kind": b"opened", b"at": AT, b"sale": "1:2:3:0:-1:0:a:b:ü".encode()})
    assert isinstance(command, SaleOpened)
    assert (command.product_id, command.closed_left) == ("a:b:ü", -1)


def test_a_field_that_a_newer_writer_added_to_an_order_is_skipped() -> None:
    entry = {b"kind": b"orders", b"at": AT, ORDER_ID.encode(): VALUE[:-1] + b',"new",{"x":1}]'}
    assert decode_entry(entry) == [OrderAccepted(ORDER_ID, EPOCH, AT_US, ORDER)]


@given(orders, st.sampled_from(sorted(STATES.values())), st.integers(0, 10**16 - 1), st.integers(0, 10**16 - 1))
def test_records_come_back_as_they_were_laid_out(order: Order, state: str, at_us: int, epoch: int) -> None:
    record = Record(state, ORDER_ID, at_us, epoch, order)
    assert decode_record(encode_record(record)) == record


@given(st.lists(orders, min_size=1, max_size=5))
def test_all_orders_of_an_entry_are_decoded_in_their_order(wanted: list[Order]) -> None:
    entry = {b"kind": b"orders", b"at": AT}
    for i, order in enumerate(wanted):
        entry[b"id-%d" % i] = b"%016d" % i + encode_order(order)
    assert decode_entry(entry) == [OrderAccepted(f"id-{i}", i, AT_US, order) for i, order in enumerate(wanted)]


@given(orders, orders)
def test_equal_bytes_are_equal_orders_and_the_reverse(one: Order, other: Order) -> None:
    assert (encode_order(one) == encode_order(other)) == (one == other)


MALFORMED = {
    "nothing": b"",
    "an epoch alone": b"1795264284200973",
    "an epoch of letters": b"yesterday-at-ten" + PAYLOAD,
    "no epoch": PAYLOAD,
    "half an order": VALUE[:-3],
    "an object": b'1795264284200973{"product_id":"ps5"}',
    "too few fields": b'1795264284200973["ps5","ann"]',
    "a quantity of text": b'1795264284200973["ps5","ann","2","key-1"]',
    "a quantity of nothing": b'1795264284200973["ps5","ann",0,"key-1"]',
    "a negative quantity": b'1795264284200973["ps5","ann",-1,"key-1"]',
    "too great a quantity": b'1795264284200973["ps5","ann",1000000001,"key-1"]',
    "a broken quantity": b'1795264284200973["ps5","ann",1.5,"key-1"]',
    "an empty product": b'1795264284200973["","ann",1,"key-1"]',
    "a product with a tab": b'1795264284200973["p\\ts","ann",1,"key-1"]',
    "a user with a final newline": b'1795264284200973["ps5","ann\\n",1,"key-1"]',
    "a user with NUL": b'1795264284200973["ps5","a\\u0000n",1,"key-1"]',
    "a product with DEL": b'1795264284200973["p\x7fs","ann",1,"key-1"]',
    "a user with a control character of one more byte": b'1795264284200973["ps5","a\xc2\x85n",1,"key-1"]',
    "a key with a letter beyond ASCII": b'1795264284200973["ps5","ann",1,"k\xc3\xa9y"]',
    "too long a key": b'1795264284200973["ps5","ann",1,"' + b"x" * 256 + b'"]',
    "too long a user": b'1795264284200973["ps5","' + b"x" * 129 + b'",1,"key-1"]',
    "a key with a space": b'1795264284200973["ps5","ann",1,"key 1"]',
    "bytes that are no text": b'1795264284200973["\xff\xfe","ann",1,"key-1"]',
    "deep nesting": b"1795264284200973" + b"[" * 100_000,
    "an endless number": b"1795264284200973[1" + b"0" * 100_000,
}


@pytest.mark.parametrize("kind", ["orders", "cancelled"])
@pytest.mark.parametrize("damage", MALFORMED)
def test_a_malformed_order_is_poison_and_its_neighbours_are_whole(kind: str, damage: str) -> None:
    value = MALFORMED[damage]
    entry = {
        b"kind": kind.encode(),
        b"at": AT,
        ORDER_ID.encode(): VALUE,
        b"bad": value,
        OTHER_ID.encode(): VALUE,
    }
    first, poison, last = decode_entry(entry)
    assert isinstance(first, OrderAccepted | OrderCancelled)
    assert isinstance(last, OrderAccepted | OrderCancelled)
    assert (first.order_id, last.order_id) == (ORDER_ID, OTHER_ID)
    assert isinstance(poison, Poison)
    assert (poison.kind, poison.at, poison.name, poison.value) == (kind, AT.decode(), "bad", value)
    assert 0 < len(poison.reason) <= 500


@pytest.mark.parametrize(
    "value",
    [b"", b"1:2:3", b"1:2:3:4:5:6", b"a:2:3:4:5:6:ps5", b"1:2:3:4:5:12.5:ps5", b"1:2:3:4:5:6:\xff", b":::::::"],
)
def test_a_malformed_opening_is_poison(value: bytes) -> None:
    (poison,) = decode_entry({b"kind": b"opened", b"at": AT, b"sale": value})
    assert isinstance(poison, Poison)
    assert poison.value == value


@pytest.mark.parametrize("at", [b"", b"soon", b"1.5", b"\xff", b"9" * 5_000])
def test_an_entry_without_a_readable_time_is_poison_command_by_command(at: bytes) -> None:
    found = decode_entry({b"kind": b"orders", b"at": at, ORDER_ID.encode(): VALUE, OTHER_ID.encode(): VALUE})
    assert [type(item) for item in found] == [Poison, Poison]


@pytest.mark.parametrize("entry", [{}, {b"kind": b"orders"}, {b"kind": b"orders", b"at": AT}])
def test_an_entry_without_a_command_is_poison(entry: dict[bytes, bytes]) -> None:
    (poison,) = decode_entry(entry)
    assert isinstance(poison, Poison)
    assert "no command" in poison.reason


@pytest.mark.parametrize("kind", [b"", b"Orders", b"refund", b"\xff\x00"])
def test_an_unknown_kind_is_poison_that_names_it(kind: bytes) -> None:
    (poison,) = decode_entry({b"kind": kind, b"at": AT, ORDER_ID.encode(): VALUE})
    assert isinstance(poison, Poison)
    assert "is not known" in poison.reason


def test_a_name_that_is_no_text_is_poison_with_its_bytes_shown() -> None:
    (poison,) = decode_entry({b"kind": b"orders", b"at": AT, b"\xff\x00": VALUE})
    assert isinstance(poison, Poison)
    assert poison.name == "\\xff\x00"


@given(
    st.sampled_from([b"orders", b"cancelled", b"opened", b"other"]),
    st.dictionaries(st.binary(max_size=40), st.binary(max_size=60), max_size=5),
)
def test_no_entry_makes_the_decoder_raise(kind: bytes, entry: dict[bytes, bytes]) -> None:
    assert decode_entry({b"kind": kind, b"at": AT, **entry})
