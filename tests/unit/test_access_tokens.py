"""Access tokens: every way to make a false one ends in a refusal with a reason."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from contract.access_tokens import (
    AUDIENCE,
    CHARACTERS_MAX,
    ISSUER,
    LEEWAY_S,
    REQUIRED,
    TYPE,
    BadAccessToken,
    make_access_token,
    read_access_token,
)
from contract.auth_keys import derive_keys
from contract.bus import new_command_id
from contract.seeds import new_seed

KEYS = derive_keys(new_seed())
SIGNING = Ed25519PrivateKey.from_private_bytes(KEYS.signing)
INVALID, EXPIRED = "The access token is not valid.", "The access token has expired."
TOKEN = make_access_token(KEYS, "ann", new_command_id(), "USER", 3600)


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says, with changes; None takes a claim away."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "sid": "login",
        "role": "USER",
        "jti": "token",
        "iat": now,
        "exp": now + 60,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(said: dict[str, Any], typ: str | None = TYPE, **header: Any) -> str:
    """A token that says this, signed by the right key."""
    return jwt.encode(said, SIGNING, algorithm="EdDSA", headers={"typ": typ, **header})


def part(document: Any) -> str:
    """A part of a token as it is written."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def reason(token: str) -> str:
    """Why a token is refused."""
    with pytest.raises(BadAccessToken) as refused:
        read_access_token(KEYS.public, token)
    return str(refused.value)


def test_a_token_says_whose_it_is_by_which_login_and_until_when() -> None:
    before = int(time.time())
    login = new_command_id()
    said = read_access_token(KEYS.public, make_access_token(KEYS, "ann", login, "ADMIN", 60))
    assert (said.sub, said.sid, said.role, said.exp - said.iat) == ("ann", login, "ADMIN", 60)
    assert before <= said.iat <= before + 5
    assert said.jti != read_access_token(KEYS.public, TOKEN).jti


def test_a_token_by_hand_is_good_so_that_the_refusals_below_have_one_reason_each() -> None:
    assert read_access_token(KEYS.public, signed(claims())).sub == "ann"


@pytest.mark.parametrize("name", REQUIRED)
def test_a_token_without_one_of_its_claims_is_refused(name: str) -> None:
    assert reason(signed(claims(**{name: None}))) == INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another audience"},
        {"aud": []},
        {"iss": "another issuer"},
        {"sub": 5},
        {"sub": ["ann"]},
        {"sid": 5},
        {"jti": 5},
        {"role": "ROOT"},
        {"role": ["ADMIN"]},
        {"exp": "tomorrow"},
        {"exp": {"in": 1}},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
    ],
    ids=lambda changes: " ".join(f"{name} {type(value).__name__}" for name, value in changes.items()),
)
def test_a_claim_that_is_not_ours_is_refused(changes: dict[str, Any]) -> None:
    assert reason(signed(claims(**changes))) == INVALID


def test_a_token_that_has_expired_says_so_once_the_clocks_cannot_be_the_reason() -> None:
    now = int(time.time())
    assert read_access_token(KEYS.public, signed(claims(exp=now - LEEWAY_S + 3))).sub == "ann"
    assert reason(signed(claims(exp=now - LEEWAY_S - 1))) == EXPIRED


@pytest.mark.parametrize("typ", ["JWT", "at+JWT ", "rt+jwt", None])
def test_a_token_of_another_type_is_refused(typ: str | None) -> None:
    assert reason(signed(claims(), typ)) == "The token is no access token."


def test_a_token_without_a_signature_is_refused() -> None:
    for algorithm in ("none", "None", "NONE", ""):
        head = part({"alg": algorithm, "typ": TYPE})
        assert reason(f"{head}.{part(claims())}.") == "The access token is not a JWT."
        assert reason(f"{head}.{part(claims())}.AA") == INVALID


@pytest.mark.parametrize("secret", [KEYS.public.verify, KEYS.public.text.encode(), b"", bytes(32)], ids=len)
def test_a_token_signed_with_what_everybody_knows_is_refused(secret: bytes) -> None:
    # By hand, because a library that makes tokens refuses to make this one.
    text = f"{part({'alg': 'HS256', 'typ': TYPE})}.{part(claims())}"
    mac = hmac.digest(secret, text.encode(), hashlib.sha256)
    assert reason(f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}") == INVALID


def test_a_token_of_another_installation_is_refused() -> None:
    assert reason(make_access_token(derive_keys(new_seed()), "ann", "login", "USER", 60)) == INVALID


def test_a_header_that_brings_its_own_key_is_not_believed() -> None:
    mine = Ed25519PrivateKey.generate()
    public = base64.urlsafe_b64encode(mine.public_key().public_bytes_raw()).rstrip(b"=").decode()
    key = {"kty": "OKP", "crv": "Ed25519", "x": public}
    assert reason(jwt.encode(claims(), mine, algorithm="EdDSA", headers={"typ": TYPE, "jwk": key})) == INVALID


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("ABCDEFGHabcdefgh01234567-_"))
def test_no_character_of_a_token_can_be_changed(place: int, other: str) -> None:
    changed = TOKEN[:place] + other + TOKEN[place + 1 :]
    # The last character of a part has bits that nobody reads.
    try:
        read_access_token(KEYS.public, changed)
    except BadAccessToken:
        return
    raw = [base64.urlsafe_b64decode(token.rpartition(".")[2] + "==") for token in (changed, TOKEN)]
    assert changed == TOKEN or (raw[0] == raw[1] and changed.rpartition(".")[0] == TOKEN.rpartition(".")[0])


@given(st.text(max_size=200))
def test_a_text_that_is_no_token_is_refused_and_nothing_else(text: str) -> None:
    assert reason(text)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}", fullmatch=True))
def test_a_text_that_looks_like_a_token_is_refused_and_nothing_else(text: str) -> None:
    assert reason(text)


def test_a_token_that_is_too_long_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = signed(claims(sub="x" * 300))
    assert len(longest) < CHARACTERS_MAX
    assert read_access_token(KEYS.public, longest).sub == "x" * 300

    def parsed(*_: object, **__: object) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(jwt, "decode_complete", parsed)
    assert reason(signed(claims(sub="x" * CHARACTERS_MAX))) == "The access token is too long."


def test_a_header_that_is_nested_as_deep_as_fits_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 700).rstrip(b"=").decode()
    assert reason(f"{deep}.AA.AA") == INVALID
