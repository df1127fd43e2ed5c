"""Negotiation: a diverted person is redirected, a diverted program is told, and nobody can confuse the two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.negotiation import prefers_json

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "application/json, */*",
        "application/json;q=0.1",
        "Application/JSON; charset=utf-8",
        "application/problem+json",
        "application/vnd.shop+json",
        "text/html;q=0.5, application/json;q=0.9",
        "text/html;q=0, application/json;q=0.1",
        "text/html;q=nonsense, application/json",
        "*/*;q=0.9,application/json",
    ],
)
def test_who_names_json_above_html_is_told_in_json(accept: str) -> None:
    assert prefers_json(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/*",
        BROWSER,
        "text/html",
        "application/json, text/html",
        "application/json;q=0.5, text/html;q=0.6",
        "application/json;q=0",
        "application/json;q=-1",
        "application/json;q=nan",
        "application/json;q=x",
        "text/plain;application/json",
        "application/jsonp",
        "application/xml",
        ",,,;;;q=",
        "\xff\xfe",
    ],
)
def test_everybody_else_is_redirected(accept: str) -> None:
    assert not prefers_json(accept)


def test_only_the_beginning_of_an_endless_header_is_read() -> None:
    assert not prefers_json("a/b," * 100_000 + "application/json")


@given(st.text(max_size=200))
def test_no_header_makes_it_raise(accept: str) -> None:
    assert prefers_json(accept) in (True, False)
