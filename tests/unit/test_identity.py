"""Identity: whose request it is, by header or cookie, and which pages a browser may send it for."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.access_tokens import make_access_token
from contract.auth_keys import derive_keys
from contract.seeds import new_seed
from contract.settings import Settings
from gateway import tokens
from gateway.cross_site import is_cross_site, preflight, sharing
from gateway.gate import Call
from gateway.identity import Caller, admin, bearer, caller, guest_cookie, guest_session, person
from gateway.replying import Refused
from gateway.tokens import AccessTokens
from tests.support.scopes import Headers, Pair, scope_of

KEYS = derive_keys(new_seed())
ANN = make_access_token(KEYS, "ann", "login-1", "USER", 3_600)
BOSS = make_access_token(KEYS, "boss", "login-2", "ADMIN", 3_600)
GONE = make_access_token(KEYS, "ann", "login-1", "USER", -100)
FORGED = make_access_token(derive_keys(new_seed()), "boss", "login-2", "ADMIN", 3_600)
GUEST_ID = "0123456789abcdef" * 2
SETTINGS = Settings(gateway_url="https://shop.example", web_origins="https://app.example http://localhost:5173/")


def call_of(*pairs: Pair, method: str = "GET") -> Any:
    """A call with these headers."""
    scope: Any = scope_of(*pairs, method=method)
    gate: Any = SimpleNamespace(settings=SETTINGS, tokens=AccessTokens(KEYS.public))
    exchange: Any = None
    return Call(gate, scope, scope.headers, exchange, {}, "request-1")


def authorization(token: str) -> Pair:
    return ("authorization", f"Bearer {token}")


def cookie(**jar: str) -> Pair:
    return ("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))


def refused(run: Any, *pairs: Pair, method: str = "GET") -> tuple[int, str]:
    """Status and code of a refusal."""
    with pytest.raises(Refused) as caught:
        run(call_of(*pairs, method=method))
    reply = caught.value.reply
    return reply.status, reply.body.decode().partition('"code":"')[2].partition('"')[0]


def test_header_and_cookie_are_both_read() -> None:
    ann = Caller("ann", "USER", "", "login-1")
    assert caller(call_of(authorization(ANN))) == ann
    assert caller(call_of(cookie(session_token=ANN))) == ann


def test_the_header_counts_where_both_came_even_if_it_is_no_good() -> None:
    assert caller(call_of(authorization(BOSS), cookie(session_token=ANN))).user_id == "boss"
    assert refused(caller, authorization(GONE), cookie(session_token=ANN)) == (401, "INVALID_TOKEN")


@pytest.mark.parametrize("token", [GONE, FORGED, "", "x", ANN[:-4], ANN + "x", "a.b.c", "x" * 10_000])
def test_a_token_that_proves_nothing_is_refused_and_not_taken_for_a_guest(token: str) -> None:
    assert refused(caller, authorization(token)) == (401, "INVALID_TOKEN")
    assert refused(caller, cookie(session_token=token)) == (401, "INVALID_TOKEN")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", ""),
        ("Basic abc", None),
        ("", None),
        ("Bearerabc", None),
    ],
)
def test_only_the_scheme_bearer_carries_a_token(header: str, token: str | None) -> None:
    assert bearer(Headers([("authorization", header)])) == token


def test_without_a_token_it_is_a_guest_and_a_guest_is_no_person() -> None:
    assert caller(call_of()) == Caller()
    assert caller(call_of(cookie(guest_session=GUEST_ID))) == Caller(session_id=GUEST_ID)
    assert refused(person) == (401, "UNAUTHORIZED")
    assert refused(admin) == (401, "UNAUTHORIZED")


def test_an_administrator_is_one_by_the_role_of_the_token() -> None:
    assert admin(call_of(authorization(BOSS))).user_id == "boss"
    assert refused(admin, authorization(ANN)) == (403, "FORBIDDEN")


def test_the_session_of_a_guest_goes_along_with_the_user_that_he_became() -> None:
    assert caller(call_of(authorization(ANN), ("x-session-id", GUEST_ID))) == Caller("ann", "USER", GUEST_ID, "login-1")


def test_the_header_of_a_session_counts_before_its_cookie() -> None:
    assert guest_session(call_of(("x-session-id", GUEST_ID), cookie(guest_session="f" * 32))) == GUEST_ID


@pytest.mark.parametrize("session", ["x", GUEST_ID.upper(), GUEST_ID + "0", GUEST_ID[:-1], "g" * 32])
def test_a_session_that_we_cannot_have_made_is_refused(session: str) -> None:
    assert refused(guest_session, ("x-session-id", session)) == (400, "INVALID_SESSION")
    assert refused(guest_session, cookie(guest_session=session)) == (400, "INVALID_SESSION")


def test_a_browser_is_rid_of_a_bad_session_by_the_refusal() -> None:
    with pytest.raises(Refused) as caught:
        guest_session(call_of(cookie(guest_session="x")))
    assert next(value for name, value in caught.value.reply.headers if name == "set-cookie").startswith(
        "guest_session=;"
    )


def test_a_guest_gets_a_session_once() -> None:
    who, headers = guest_cookie(call_of(), Caller())
    assert guest_session(call_of(("x-session-id", who.session_id))) == who.session_id
    assert [name for name, _ in headers] == ["set-cookie", "x-session-id"]
    assert guest_cookie(call_of(), who) == (who, ())
    assert guest_cookie(call_of(), Caller("ann")) == (Caller("ann"), ())


OTHER_SITES = [
    [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    [("sec-fetch-site", "same-site"), ("origin", "https://other.shop.example")],
    [("sec-fetch-site", "cross-site")],
    [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
    [("sec-fetch-site", "Zoë")],
    [("sec-fetch-site", "")],
    [("origin", "https://evil.example")],
    [("origin", "null")],
    [("origin", "")],
    [("origin", "localhost")],
    [("origin", "http://localhost:81")],
    [("origin", "chrome-extension://localhost")],
    [("origin", "http://localhost.evil.example")],
    [("origin", "https://shop.example.evil.example")],
    [("origin", "https://app.example"), ("origin", "https://evil.example")],
]
OWN_SITES = [
    [],
    [("sec-fetch-site", "same-origin"), ("origin", "http://localhost")],
    [("sec-fetch-site", "same-origin"), ("origin", "http://behind.a.proxy.example")],
    [("sec-fetch-site", "none")],
    [("origin", "http://localhost")],
    [("origin", "https://shop.example")],
    [("sec-fetch-site", "cross-site"), ("origin", "https://app.example")],
    [("sec-fetch-site", "cross-site"), ("origin", "http://localhost:5173")],
]


@pytest.mark.parametrize("pairs", OTHER_SITES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_another_site_changes_nothing_with_cookies(pairs: list[Pair], method: str) -> None:
    assert refused(caller, *pairs, cookie(session_token=ANN), method=method) == (403, "CROSS_SITE")
    assert refused(caller, *pairs, cookie(guest_session=GUEST_ID), method=method) == (403, "CROSS_SITE")


@pytest.mark.parametrize("pairs", OWN_SITES)
def test_pages_of_ours_and_programs_may_change_things_with_cookies(pairs: list[Pair]) -> None:
    assert caller(call_of(*pairs, cookie(session_token=ANN), method="POST")).user_id == "ann"


@pytest.mark.parametrize("pairs", OTHER_SITES)
def test_what_only_reads_or_sends_its_own_token_may_come_from_anywhere(pairs: list[Pair]) -> None:
    assert caller(call_of(*pairs, cookie(session_token=ANN))).user_id == "ann"
    assert caller(call_of(*pairs, authorization(ANN), cookie(session_token=BOSS), method="POST")).user_id == "ann"


@given(st.text(max_size=50))
def test_no_origin_but_the_right_ones_passes(origin: str) -> None:
    right = {"http://localhost", "https://localhost", "https://shop.example", "https://app.example"}
    assert origin in right or is_cross_site(Headers([("host", "localhost"), ("origin", origin)]), SETTINGS)


def test_only_pages_of_the_origins_in_the_settings_may_read_replies() -> None:
    shared = dict(sharing(Headers([("origin", "https://app.example")]), SETTINGS))
    assert shared["access-control-allow-origin"] == "https://app.example"
    assert (shared["access-control-allow-credentials"], shared["vary"]) == ("true", "origin")
    for pairs in ([], [("origin", "https://evil.example")], [("origin", "null")], [("origin", "Zoë")]):
        assert sharing(Headers(pairs), SETTINGS) == (("vary", "origin"),)
    assert sharing(Headers([("origin", "https://app.example")]), Settings()) == ()


def test_only_they_are_answered_when_they_ask_beforehand() -> None:
    asks = ("access-control-request-method", "POST")
    answer = preflight(Headers([("origin", "http://localhost:5173"), asks]), SETTINGS)
    assert answer is not None
    assert answer.status == 204
    assert preflight(Headers([("origin", "http://localhost:5173")]), SETTINGS) is None
    assert preflight(Headers([("origin", "https://evil.example"), asks]), SETTINGS) is None
    assert preflight(Headers([asks]), SETTINGS) is None


def test_a_token_is_checked_once_and_believed_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    real = tokens.read_access_token
    monkeypatch.setattr(tokens, "read_access_token", lambda keys, token: checked.append(token) or real(keys, token))
    own = AccessTokens(KEYS.public)
    claims = own.read(ANN)
    assert own.read(ANN) is claims
    assert checked == [ANN]
    monkeypatch.setattr(tokens.time, "time", lambda: claims.exp)
    own.read(ANN)
    assert checked == [ANN, ANN]


def test_no_more_tokens_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "KNOWN_MAX", 2)
    own = AccessTokens(KEYS.public)
    claims = own.read(ANN)
    own.read(BOSS)
    own.read(ANN)
    own.read(make_access_token(KEYS, "zoe", "login-3", "USER", 100))
    assert own.read(ANN) is claims  # used last but one, so another has gone
    assert len(own._known) == 2
