"""The head of a request: one idempotency key under either name, bare or quoted, and framing that has one reading."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import KEY_LENGTH_MAX
from gateway.head import MISSING_KEY, URL_LENGTH_MAX, idempotency_key, listed, request_id, trace_of, unsound
from gateway.replying import Refused, Reply
from tests.support.scopes import scope_of


def refusal_of(*headers: tuple[str, str], host: bool = True, version: str = "1.1") -> Reply | None:
    """What is said to a request with these headers before any handler sees it."""
    scope = scope_of(*headers, host=host, http_version=version)
    return unsound(scope, scope.headers)


def id_of(*headers: tuple[str, str]) -> str:
    """The id of a request with these headers."""
    return request_id(scope_of(*headers).headers)


def key_of(*keys: str, name: str = "x-idempotency-key") -> str:
    """The key of a request that sends these."""
    return idempotency_key(scope_of(*((name, key) for key in keys)).headers)


def status_of(reply: Reply | None) -> int:
    """The status of a refusal."""
    assert reply is not None
    return reply.status


def refused(keys: list[str]) -> Reply:
    """The reply that refuses these keys."""
    with pytest.raises(Refused) as error:
        key_of(*keys)
    assert error.value.reply.status == 400
    return error.value.reply


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("key-1", "key-1"),
        ('"key-1"', "key-1"),
        ("  key-1\t", "key-1"),
        (r'"a\"b\\c"', 'a"b\\c'),
        (r"a\b", "a\\b"),
        ("'key-1'", "'key-1'"),
        ('"', '"'),
        ('"half', '"half'),
        ("{}:;,=", "{}:;,="),
        ("x" * KEY_LENGTH_MAX, "x" * KEY_LENGTH_MAX),
        ('"' + "x" * KEY_LENGTH_MAX + '"', "x" * KEY_LENGTH_MAX),
    ],
)
def test_bare_and_quoted_forms_are_one_key(sent: str, key: str) -> None:
    assert key_of(sent) == key_of(sent, name="idempotency-key") == key


@pytest.mark.parametrize("keys", [[], [""], ["   "], ['""'], ["", ""]])
def test_no_key_is_told_as_the_contract_wants_it(keys: list[str]) -> None:
    assert refused(keys) == MISSING_KEY
    assert MISSING_KEY.body == b'{"error":"Missing Idempotency Key"}'


@pytest.mark.parametrize(
    "key",
    ["two words", '" "', "a\x00b", "a\r\nb", "\x7f", "\xfc", "\u20ac", "x" * 256, '"' + "x" * 256 + '"'],
)
def test_what_is_no_visible_ascii_of_some_length_is_refused_in_a_sentence(key: str) -> None:
    assert b"1 to 255 visible ASCII characters" in refused([key]).body


def test_the_same_key_under_both_names_is_one_key() -> None:
    scope = scope_of(("x-idempotency-key", "a"), ("idempotency-key", '"a"'))
    assert idempotency_key(scope.headers) == "a"
    assert key_of("a", '"a"') == "a"


def test_two_different_keys_are_refused() -> None:
    assert b"two different idempotency keys" in refused(["a", "b"]).body


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=KEY_LENGTH_MAX))
def test_every_visible_key_survives_quoting(key: str) -> None:
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert key_of(quoted) == key


@given(st.lists(st.text(max_size=300), max_size=3))
def test_whatever_is_sent_is_a_key_or_is_refused(keys: list[str]) -> None:
    with contextlib.suppress(Refused):
        assert 1 <= len(key_of(*keys)) <= KEY_LENGTH_MAX


def test_a_request_id_of_the_client_is_kept_when_it_is_sound() -> None:
    assert id_of(("x-request-id", "abc-1.2:3_4")) == "abc-1.2:3_4"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, '"', "a\nb", "\xff"])
def test_any_other_request_id_is_replaced_by_one_of_ours(given: str) -> None:
    first, second = (id_of(("x-request-id", given)) for _ in range(2))
    assert given not in (first, second)
    assert first != second


def test_framing_that_two_servers_could_read_differently_is_refused() -> None:
    length, chunked = ("content-length", "5"), ("transfer-encoding", "chunked")
    for headers in ([length, chunked], [("transfer-encoding", "gzip, chunked")], [chunked, chunked]):
        assert status_of(refusal_of(*headers)) == 400
    assert refusal_of(chunked) is None
    assert refusal_of(length) is None


def test_a_request_names_one_host() -> None:
    assert status_of(refusal_of(("host", "other"))) == 400
    assert status_of(refusal_of(host=False)) == 400
    assert refusal_of(host=False, version="1.0") is None


def test_headers_that_are_repeated_are_one_list() -> None:
    headers = scope_of(("accept", "a/b"), ("accept", "c/d")).headers
    assert (listed(headers, "accept"), listed(headers, "x-forwarded-for")) == ("a/b,c/d", "")


def test_a_url_is_refused_beyond_its_limit() -> None:
    most = scope_of(path="/" + "a" * 1_000, query_string="b" * (URL_LENGTH_MAX - 1_001))
    assert unsound(most, most.headers) is None
    most.query_string += "b"
    assert status_of(unsound(most, most.headers)) == 414


TRACE, STEP = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def trace(*headers: tuple[str, str]) -> list[str]:
    """What a request with these headers is traced as: version, trace, step, flags."""
    return trace_of(scope_of(*headers).headers).split("-")


@pytest.mark.parametrize("flags", ["00", "01", "ff"])
def test_a_request_goes_on_in_its_trace_with_a_step_of_ours(flags: str) -> None:
    version, same, step, kept = trace(("traceparent", f"00-{TRACE}-{STEP}-{flags}"))
    assert (version, same, kept) == ("00", TRACE, flags)
    assert step != STEP
    assert step != trace(("traceparent", f"00-{TRACE}-{STEP}-{flags}"))[2]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{STEP}",
        f"00-{TRACE}-{STEP}-01-more",
        f"01-{TRACE}-{STEP}-01",
        f"00-{TRACE.upper()}-{STEP}-01",
        f"00-{'0' * 32}-{STEP}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{STEP}-1",
        f" 00-{TRACE}-{STEP}-01\n",
    ],
)
def test_a_trace_that_is_none_gives_way_to_a_new_one(given: str) -> None:
    first, second = (trace(("traceparent", given)) for _ in range(2))
    assert [len(part) for part in first] == [2, 32, 16, 2]
    assert (first[0], first[3]) == ("00", "00")
    assert TRACE not in (first[1], second[1])
    assert first[1] != second[1]


def test_without_a_trace_a_request_begins_one() -> None:
    assert trace()[1] != trace()[1]
