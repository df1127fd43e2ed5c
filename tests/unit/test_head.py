"""The head of a request: one idempotency key under either name, bare or quoted, and framing that has one reading."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import KEY_LENGTH_MAX
from gateway.head import MISSING_KEY, idempotency_key, read_head
from gateway.replying import Reply


def head_of(*headers: tuple[bytes, bytes], host: bool = True, version: str = "1.1") -> Any:
    """The head of a request with these headers."""
    every = [(b"host", b"localhost")] * host + list(headers)
    return read_head({"headers": every, "http_version": version})


def refused(keys: list[bytes]) -> Reply:
    """The reply that refuses these keys."""
    reply = idempotency_key(keys)
    assert isinstance(reply, Reply)
    assert reply.status == 400
    return reply


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        (b"key-1", "key-1"),
        (b'"key-1"', "key-1"),
        (b"  key-1\t", "key-1"),
        (rb'"a\"b\\c"', 'a"b\\c'),
        (rb"a\b", "a\\b"),
        (b"'key-1'", "'key-1'"),
        (b'"', '"'),
        (b'"half', '"half'),
        (b"{}:;,=", "{}:;,="),
        (b"x" * KEY_LENGTH_MAX, "x" * KEY_LENGTH_MAX),
        (b'"' + b"x" * KEY_LENGTH_MAX + b'"', "x" * KEY_LENGTH_MAX),
    ],
)
def test_bare_and_quoted_forms_are_one_key(sent: bytes, key: str) -> None:
    assert idempotency_key([sent]) == key


@pytest.mark.parametrize("keys", [[], [b""], [b"   "], [b'""'], [b"", b""]])
def test_no_key_is_told_as_the_contract_wants_it(keys: list[bytes]) -> None:
    assert refused(keys) == MISSING_KEY
    assert MISSING_KEY.body == b'{"error":"Missing Idempotency Key"}'


@pytest.mark.parametrize(
    "key",
    [b"two words", b'" "', b"a\x00b", b"a\r\nb", b"\x7f", b"\xc3\xbc", b"\xff", b"x" * 256, b'"' + b"x" * 256 + b'"'],
)
def test_what_is_no_visible_ascii_of_some_length_is_refused_in_a_sentence(key: bytes) -> None:
    assert b"1 to 255 visible ASCII characters" in refused([key]).body


def test_the_same_key_under_both_names_is_one_key() -> None:
    assert head_of((b"x-idempotency-key", b"a"), (b"idempotency-key", b'"a"')).keys == [b"a", b'"a"']
    assert idempotency_key([b"a", b'"a"']) == "a"


def test_two_different_keys_are_refused() -> None:
    assert b"two different idempotency keys" in refused([b"a", b"b"]).body


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=KEY_LENGTH_MAX))
def test_every_visible_key_survives_quoting(key: str) -> None:
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert idempotency_key([quoted.encode()]) == key


@given(st.lists(st.binary(max_size=300), max_size=3))
def test_no_header_makes_it_raise(keys: list[bytes]) -> None:
    answer = idempotency_key(keys)
    assert isinstance(answer, Reply) or 1 <= len(answer) <= KEY_LENGTH_MAX


def test_a_request_id_of_the_client_is_kept_when_it_is_sound() -> None:
    assert head_of((b"x-request-id", b"abc-1.2:3_4")).request_id == b"abc-1.2:3_4"


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b'"', b"a\nb", b"\xff"])
def test_any_other_request_id_is_replaced_by_one_of_ours(given: bytes) -> None:
    first, second = (head_of((b"x-request-id", given)).request_id for _ in range(2))
    assert given not in (first, second)
    assert first != second


@pytest.mark.parametrize(
    ("value", "length"),
    [(b"0", 0), (b"17", 17), (b"-1", 1 << 60), (b"1e3", 1 << 60), (b"9" * 19, 1 << 60), (b"\xb2", 1 << 60)],
)
def test_a_content_length_that_is_no_plain_number_is_beyond_every_limit(value: bytes, length: int) -> None:
    assert head_of((b"content-length", value)).content_length == length


def test_framing_that_two_servers_could_read_differently_is_refused() -> None:
    length, chunked = (b"content-length", b"5"), (b"transfer-encoding", b"chunked")
    assert head_of(length, chunked).refused.status == 400
    assert head_of((b"transfer-encoding", b"gzip, chunked")).refused.status == 400
    assert head_of(chunked, chunked).refused.status == 400
    assert head_of(chunked).refused is None
    assert head_of(length).refused is None


def test_a_request_names_one_host() -> None:
    assert head_of((b"host", b"other")).refused.status == 400
    assert head_of(host=False).refused.status == 400
    assert head_of(host=False, version="1.0").refused is None


def test_headers_that_are_repeated_are_one_list() -> None:
    head = head_of((b"accept", b"a/b"), (b"accept", b"c/d"), (b"x-forwarded-for", b"1"), (b"x-forwarded-for", b"2"))
    assert (head.accept, head.forwarded_for) == (b"a/b,c/d", b"1,2")
