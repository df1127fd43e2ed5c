"""Cookies: what browsers and others send is read strictly, and what we set stays with its browser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cookies import (
    FORGET_GUEST,
    FORGET_REFRESH,
    FORGET_SESSION,
    read_cookies,
    set_guest,
    set_refresh,
    set_session,
)
from tests.support.scopes import Headers

OCTETS = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '",;\\')


def cookies(*lines: str) -> dict[str, str]:
    """What is read of these Cookie headers."""
    return read_cookies(Headers(("cookie", line) for line in lines))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("a=1", {"a": "1"}),
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        (' a = 1 ;\tb="2" ', {"a": "1", "b": "2"}),
        ("a=x=y==", {"a": "x=y=="}),
        ("a=", {"a": ""}),
        ('a=""', {"a": ""}),
        ("$Version=1; a=1", {"$Version": "1", "a": "1"}),
        ("a=1;", {"a": "1"}),
        (";;; ;a=1", {"a": "1"}),
    ],
)
def test_sound_cookies_are_read(line: str, wanted: dict[str, str]) -> None:
    assert cookies(line) == wanted


@pytest.mark.parametrize(
    "pair", ["b", "=2", "b c=2", "b=2 3", 'b="2', 'b=2"', "b=2,3", "b=2\\3", 'b="2"3"', "b[]=2", "b@=2", 'b=a"c"']
)
def test_what_is_no_cookie_is_passed_over_and_takes_no_other_with_it(pair: str) -> None:
    assert cookies(f"a=1; {pair}; c=3") == {"a": "1", "c": "3"}


def test_of_two_with_one_name_the_first_counts() -> None:
    assert cookies("a=longer path; a=/; a=1; a=2") == {"a": "/"}
    assert cookies("a=1", "b=2; a=3") == {"a": "1", "b": "2"}


def test_a_header_that_is_no_visible_ascii_counts_as_no_cookie() -> None:
    assert cookies("a=1; name=Zoë") == {}


@given(st.text(max_size=300))
def test_whatever_is_sent_what_is_read_can_be_sent_again(line: str) -> None:
    found = cookies(line)
    assert cookies("; ".join(f"{name}={value}" for name, value in found.items())) == found
    assert all(set(value) <= set(OCTETS) for value in found.values())


@given(st.dictionaries(st.text("abcXYZ_-09", min_size=1), st.text(OCTETS)))
def test_every_sound_cookie_is_read_as_it_was_set(jar: dict[str, str]) -> None:
    assert cookies("; ".join(f"{name}={value}" for name, value in jar.items())) == jar


def test_what_we_set_stays_with_its_browser() -> None:
    assert set_session("a.b.c", 900) == (
        "set-cookie",
        "session_token=a.b.c; Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Lax",
    )
    assert set_refresh("r", 60)[1] == ("refresh_token=r; Max-Age=60; Path=/api/auth; HttpOnly; Secure; SameSite=Strict")
    assert set_guest("f" * 32)[1] == (
        f"guest_session={'f' * 32}; Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Lax"
    )


@pytest.mark.parametrize("header", [FORGET_SESSION, FORGET_REFRESH, FORGET_GUEST])
def test_what_is_forgotten_is_empty_and_has_ended_under_the_same_name_and_path(header: tuple[str, str]) -> None:
    name, _, rest = header[1].partition("=")
    assert rest.startswith("; Max-Age=0;")
    path = "/api/auth" if name == "refresh_token" else "/"
    assert f"; Path={path};" in rest
