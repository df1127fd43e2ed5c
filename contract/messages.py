"""Every command that crosses the outbox between gateway and workers.

Rules of change: a new field has a default; no field changes its type or place; no kind is renamed; a reader skips
what it does not know. The golden bytes of each are in `tests/unit/test_messages.py`.

An entry of the outbox is a batch: `kind`, `at` (microseconds, when Redis decided), then one field per command.

    kind       field      value
    orders     order id   epoch (16 digits), then the order
    cancelled  order id   epoch (16 digits), then the order
    opened     "sale"     epoch:total:limit:old epoch:old left:old returned:product
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

QUANTITY_MAX = 1_000_000_000
KEY_LENGTH_MAX = 255
ID_LENGTH_MAX = 128

_IDENTIFIER, _KEY = r"^[^\x00-\x1f\x7f-\x9f]*\Z", r"^[!-~]*\Z"
Identifier = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX, pattern=_IDENTIFIER)]
IdempotencyKey = Annotated[str, Meta(min_length=1, max_length=KEY_LENGTH_MAX, pattern=_KEY)]
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class Order(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a buyer asked for. Its encoding is the fingerprint: equal bytes are the same request.

    Its texts are an Identifier each and an IdempotencyKey. What is decoded is held to their patterns by `_decode_order`
    and not here, where three searches would take four times as long as the decoding.
    """

    product_id: Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
    user_id: Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
    quantity: Quantity
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=KEY_LENGTH_MAX)]


class OrderAccepted(msgspec.Struct, frozen=True, gc=False):
    """Units have been taken for this order; it must become a row."""

    order_id: str
    epoch: int
    accepted_us: int
    order: Order


class OrderCancelled(msgspec.Struct, frozen=True, gc=False):
    """The units of this order have gone back; its row must say so."""

    order_id: str
    epoch: int
    cancelled_us: int
    order: Order


class SaleOpened(msgspec.Struct, frozen=True, gc=False):
    """A sale has been opened; the one before it (epoch 0: none) is closed with these books.

    `closed_left` is -1 when Redis had lost the stock of the old sale.
    """

    product_id: str
    epoch: int
    total: int
    limit: int
    closed_epoch: int
    closed_left: int
    closed_returned: int
    opened_us: int


Command = OrderAccepted | OrderCancelled | SaleOpened


class Poison(NamedTuple):
    """A command that cannot be read, as it stood in its entry, and why."""

    kind: str
    at: str
    name: str
    value: bytes
    reason: str


class Record(NamedTuple):
    """The record of one order, as `lua/include/order_record.lua` lays it out."""

    state: str
    order_id: str
    accepted_us: int
    epoch: int
    order: Order


_EPOCH_DIGITS = 16
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Order)
_identifiers, _key = re.compile(_IDENTIFIER), re.compile(_KEY)
# The orders of a batch share their epoch and their time.
_number = lru_cache(256)(int)
STATES = {"a": "accepted", "p": "persisted", "d": "fulfilled", "x": "cancelled", "e": "failed"}


def encode_order(order: Order) -> bytes:
    """The payload of an order: its fingerprint, its form in the record, and its form in the outbox."""
    return _encoder.encode(order)


def encode_payload(product_id: str, user_id: str, quantity: int, idempotency_key: str) -> bytes:
    """The payload of an order whose parts have been checked; the same bytes, without the object."""
    return _encoder.encode((product_id, user_id, quantity, idempotency_key))


def is_identifier(text: str) -> bool:
    """Whether a text may name a product or a user."""
    if not 0 < len(text) <= ID_LENGTH_MAX:
        return False
    # Nearly every text is plain, and that is told in a tenth of the time that the pattern takes.
    return text.isprintable() or _identifiers.search(text) is not None


def decode_record(record: bytes) -> Record:
    """Read an order record. Its state is a word of STATES; "accepted" of a record that has an end means persisted."""
    order = _decode_order(record[69:])
    return Record(STATES[record[:1].decode()], record[1:37].decode(), int(record[37:53]), int(record[53:69]), order)


def encode_record(record: Record) -> bytes:
    """Lay out an order record; the reverse of `decode_record`."""
    letter = next(letter for letter, word in STATES.items() if word == record.state)
    head = f"{letter}{record.order_id}{record.accepted_us:016d}{record.epoch:016d}"
    return head.encode() + encode_order(record.order)


def decode_entry(fields: Mapping[bytes, bytes]) -> list[Command | Poison]:
    """All commands of an entry; what cannot be read comes as Poison, and its neighbours are whole."""
    kind = fields.get(b"kind", b"").decode(errors="backslashreplace")
    at = fields.get(b"at", b"").decode(errors="backslashreplace")
    commands: list[Command | Poison] = []
    for name, value in fields.items():
        if name in (b"kind", b"at"):
            continue
        try:
            commands.append(_decode_command(kind, _number(at), name.decode("ascii"), value))
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            shown = name.decode(errors="backslashreplace")
            commands.append(Poison(kind, at, shown, value, f"{type(error).__name__}: {error}"[:500]))
    return commands or [Poison(kind, at, "", b"", "the entry holds no command")]


def _decode_order(payload: bytes) -> Order:
    order = _decoder.decode(payload)
    names, key = order.product_id + order.user_id, order.idempotency_key
    # Nearly every text is plain, and that is told at once; the patterns decide about the rest.
    plain = names.isprintable() and key.isprintable() and key.isascii() and " " not in key
    if not plain and not (_identifiers.search(names) and _key.search(key)):
        raise ValueError("an order with a control character, or a key with other than visible ASCII")
    return order


def _decode_command(kind: str, at_us: int, name: str, value: bytes) -> Command:
    if kind in ("orders", "cancelled"):
        make = OrderAccepted if kind == "orders" else OrderCancelled
        return make(name, _number(value[:_EPOCH_DIGITS]), at_us, _decode_order(value[_EPOCH_DIGITS:]))
    if kind == "opened":
        parts = value.decode().split(":", 6)
        if len(parts) != 7:
            raise ValueError(f"an opening has 7 parts, not {len(parts)}")
        numbers = [int(part) for part in parts[:6]]
        return SaleOpened(parts[6], *numbers, opened_us=at_us)
    raise ValueError(f"the kind {kind!r} is not known")
