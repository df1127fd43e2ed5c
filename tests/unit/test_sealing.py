"""What is sealed is opened by whom it is for, and by nobody else."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PublicKey, SealedBox

from contract.auth_keys import derive_keys
from contract.bus import encode
from contract.sealing import (
    Sealed,
    Unopened,
    key_text,
    open_body,
    open_reply,
    parse_key,
    seal_body,
    seal_reply,
)
from contract.seeds import new_seed

KEYS = derive_keys(new_seed())
OTHER = derive_keys(new_seed())
FIELDS = {"email": "ann@shop.example", "password": "correct horse battery"}


def sealed_by_hand(plain: bytes) -> bytes:
    """Any text, sealed for our key."""
    box = SealedBox(PublicKey(KEYS.public.box)).encrypt(plain)
    return encode(Sealed(base64.urlsafe_b64encode(box).decode()))


def test_the_worker_reads_the_fields_and_the_key_for_the_reply() -> None:
    body, key = seal_body(KEYS.public, FIELDS)
    plain, found = open_body(KEYS, encode(body))
    assert found == key
    assert msgspec.json.decode(plain) == {**FIELDS, "replyKey": key_text(key)}


def test_two_commands_of_the_same_fields_have_nothing_in_common() -> None:
    (one, first), (two, second) = seal_body(KEYS.public, FIELDS), seal_body(KEYS.public, FIELDS)
    assert first != second
    assert one.sealed[:20] != two.sealed[:20]


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none()).map(lambda d: d | FIELDS))
def test_whatever_is_sealed_comes_out_as_it_was(fields: dict[str, object]) -> None:
    plain, key = open_body(KEYS, encode(seal_body(KEYS.public, fields)[0]))
    assert msgspec.json.decode(plain) == {**fields, "replyKey": key_text(key)}
    assert msgspec.json.decode(open_reply(key, encode(seal_reply(key, fields)))) == fields


def test_no_byte_of_a_sealed_body_can_be_changed() -> None:
    body, _ = seal_body(KEYS.public, FIELDS)
    raw = base64.urlsafe_b64decode(body.sealed + "=" * (-len(body.sealed) % 4))
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(Unopened):
            open_body(KEYS, encode(Sealed(base64.urlsafe_b64encode(changed).decode())))


def test_another_key_opens_neither_body_nor_reply() -> None:
    body, key = seal_body(KEYS.public, FIELDS)
    with pytest.raises(Unopened):
        open_body(OTHER, encode(body))
    with pytest.raises(Unopened):
        open_reply(bytes(32), encode(seal_reply(key, FIELDS)))


@pytest.mark.parametrize("text", ["", "A", "AAAA", "not base64!", "ä" * 80, "A" * 81])
def test_what_was_never_sealed_is_not_opened(text: str) -> None:
    with pytest.raises(Unopened):
        open_body(KEYS, encode(Sealed(text)))
    with pytest.raises(Unopened):
        open_reply(bytes(32), encode(Sealed(text)))


@pytest.mark.parametrize("plain", [b"", b"no json", b"[]", b"{}", b'{"replyKey":5}', b'{"replyKey":"short"}'])
def test_a_sealed_body_without_a_key_for_its_reply_is_malformed(plain: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        open_body(KEYS, sealed_by_hand(plain))


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"sealed":null}'])
def test_a_body_that_is_not_sealed_is_malformed(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        open_body(KEYS, body)


def test_a_key_survives_a_url() -> None:
    _, key = seal_body(KEYS.public, FIELDS)
    assert parse_key(key_text(key)) == key
    assert key_text(key).replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "/", "A" * 42 + "\n", "ä" * 43])
def test_a_text_that_is_no_key_is_none(text: str) -> None:
    assert parse_key(text) is None
