"""Negotiation: a diverted person is redirected, a diverted program is told, and nobody can confuse the two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.negotiation import prefers_json

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        b"application/json",
        b"application/json, */*",
        b"application/json;q=0.1",
        b"Application/JSON; charset=utf-8",
        b"application/problem+json",
        b"application/vnd.shop+json",
        b"text/html;q=0.5, application/json;q=0.9",
        b"text/html;q=0, application/json;q=0.1",
        b"text/html;q=nonsense, application/json",
        b"*/*;q=0.9,application/json",
    ],
)
def test_who_names_json_above_html_is_told_in_json(accept: bytes) -> None:
    assert prefers_json(accept)


@pytest.mark.parametrize(
    "accept",
    [
        b"",
        b"*/*",
        b"application/*",
        BROWSER,
        b"text/html",
        b"application/json, text/html",
        b"application/json;q=0.5, text/html;q=0.6",
        b"application/json;q=0",
        b"application/json;q=-1",
        b"application/json;q=nan",
        b"application/json;q=x",
        b"text/plain;application/json",
        b"application/jsonp",
        b"application/xml",
        b",,,;;;q=",
        b"\xff\xfe",
    ],
)
def test_everybody_else_is_redirected(accept: bytes) -> None:
    assert not prefers_json(accept)


def test_only_the_beginning_of_an_endless_header_is_read() -> None:
    assert not prefers_json(b"a/b," * 100_000 + b"application/json")


@given(st.binary(max_size=200))
def test_no_header_makes_it_raise(accept: bytes) -> None:
    assert prefers_json(accept) in (True, False)
