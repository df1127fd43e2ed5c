"""The auth worker: accounts, passwords, and what a stream and a table may know of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import bcrypt
import msgspec
import pytest

import lua
from contract.access_tokens import read_access_token
from contract.auth_keys import derive_keys
from contract.bus import decode_command, new_command_id
from contract.sealing import seal_body
from contract.seeds import new_seed
from contract.settings import Settings
from tests.support.desk import command, deliver, handled, open_desk, serving
from tests.support.people import PASSWORD, ask, fresh_email, opened, registered, sealed
from workers import passwords
from workers.auth import AUTH
from workers.service import Desk

WRONG = "incorrect horse battery"
GUEST = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The auth worker, driven by hand."""
    async with open_desk(settings, AUTH) as opened_desk:
        yield opened_desk


async def hash_of(desk: Desk, email: str) -> str:
    """The hash that is kept of somebody's password."""
    return await desk.pool.fetchval("SELECT password_hash FROM users WHERE email = $1", email)


async def keep_hash(desk: Desk, email: str, kept: str) -> None:
    """Put a hash of another origin in the place of somebody's."""
    await desk.pool.execute("UPDATE users SET password_hash = $2 WHERE email = $1", email, kept)


async def test_who_registers_is_logged_in_under_his_names(desk: Desk) -> None:
    email = fresh_email()
    names = {"nickname": "Ann", "firstName": "Änne", "lastName": "O'Neil"}
    answer = await ask(desk, "register", email=f"  {email.upper()} ", password=PASSWORD, **names)
    assert answer.status == 201
    user = answer.data["user"]
    assert user == {"id": user["id"], "email": email, "role": "USER", **names}
    assert answer.data["expiresIn"] == desk.settings.access_token_ttl_s
    claims = read_access_token(desk.tools.keys.public, answer.data["token"])
    assert (claims.sub, claims.role) == (user["id"], "USER")
    seen = await handled(desk, AUTH, "me", {"sid": claims.sid}, user_id=user["id"])
    assert msgspec.json.decode(seen.data) == {"user": user, "balance": 0.0}


async def test_who_gives_no_nickname_is_called_by_his_address(desk: Desk) -> None:
    email = fresh_email()
    assert (await registered(desk, email=email, nickname=" "))["user"]["nickname"] == email.partition("@")[0]


async def test_an_address_has_one_account_whatever_its_case(desk: Desk) -> None:
    email = fresh_email()
    await registered(desk, email=email)
    again = await ask(desk, "register", email=email.title(), password=PASSWORD)
    assert (again.status, again.code) == (409, "USER_EXISTS")
    # Nothing of the second attempt is left.
    assert (await ask(desk, "login", email=email, password=PASSWORD)).status == 200


async def test_of_many_who_register_one_address_at_once_one_gets_it(desk: Desk) -> None:
    email = fresh_email()
    async with serving(desk, AUTH, 2) as asking:
        orders = [sealed(desk, "register", {"email": email, "password": PASSWORD})[0] for _ in range(6)]
        replies = await asyncio.gather(*map(asking, orders))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 5


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"email": "ann"}, "INVALID_EMAIL"),
        ({"email": "@shop.example"}, "INVALID_EMAIL"),
        ({"email": "ann@shop.example\r\nBcc: all@shop.example"}, "INVALID_EMAIL"),
        ({"email": "ann@-shop.example"}, "INVALID_EMAIL"),
        ({"email": "a" * 65 + "@shop.example"}, "INVALID_EMAIL"),
        ({"email": "ann@" + ".".join(["a" * 60] * 5)}, "INVALID_EMAIL"),
        ({"password": "short67"}, "INVALID_PASSWORD"),
        ({"password": "x" * 129}, "INVALID_PASSWORD"),
        ({"password": "PassWord123"}, "INVALID_PASSWORD"),
        ({"email": "likemyname@shop.example", "password": "LikeMyName"}, "INVALID_PASSWORD"),
        ({"nickname": "x" * 65}, "INVALID_NAME"),
        ({"firstName": "Ann\n"[:4] + "B"}, "INVALID_NAME"),
        ({"lastName": "\u2028x"[::-1] + "y"}, "INVALID_NAME"),
        ({"password": 12345678}, "BAD_REQUEST"),
        ({"nickname": ["Ann"]}, "BAD_REQUEST"),
    ],
)
async def test_what_no_account_may_have_is_told_in_a_sentence(desk: Desk, fields: dict[str, Any], code: str) -> None:
    answer = await ask(desk, "register", **{"email": fresh_email(), "password": PASSWORD, **fields})
    assert (answer.status, answer.code) == (400, code)
    assert answer.reply.problem is not None
    assert answer.reply.problem.message.endswith(".")
    for secret in ("short67", "PassWord123", "12345678"):
        assert secret not in answer.reply.problem.message


@pytest.mark.parametrize(
    "password", ["x" * 128, "пароль-пароль", "a" * 73, "\0\0\0\0\0\0\0\0", " leading and trailing "]
)
async def test_a_password_counts_to_its_last_character(desk: Desk, password: str) -> None:
    email = (await registered(desk, password=password))["user"]["email"]
    assert (await ask(desk, "login", email=email, password=password)).status == 200
    for wrong in (password[:-1], password + "x", password.strip() + "\0"):
        assert (await ask(desk, "login", email=email, password=wrong)).code == "INVALID_CREDENTIALS"


async def test_a_wrong_password_and_an_unknown_address_are_told_alike(desk: Desk) -> None:
    email = (await registered(desk))["user"]["email"]
    known = await ask(desk, "login", email=email, password=WRONG)
    unknown = await ask(desk, "login", email=fresh_email(), password=WRONG)
    nonsense = await ask(desk, "login", email="no address", password="x" * 5000)
    assert known.status == 401
    assert known.reply.problem == unknown.reply.problem == nonsense.reply.problem


@pytest.mark.slow
@pytest.mark.alone
async def test_a_wrong_password_and_an_unknown_address_take_the_same_work(desk: Desk) -> None:
    email = (await registered(desk))["user"]["email"]
    spent: dict[str, list[float]] = {email: [], "nobody@shop.example": []}
    for _ in range(5):
        for address, figures in spent.items():
            began = time.process_time()
            await ask(desk, "login", email=address, password=WRONG)
            figures.append(time.process_time() - began)
    known, unknown = (min(figures) for figures in spent.values())
    assert 0.7 < known / unknown < 1.4


async def test_an_old_hash_still_fits_and_is_renewed_by_the_first_login(desk: Desk) -> None:
    email = (await registered(desk))["user"]["email"]
    await keep_hash(desk, email, bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())
    assert (await ask(desk, "login", email=email, password=WRONG)).status == 401
    assert (await hash_of(desk, email)).startswith("$2b$")
    assert (await ask(desk, "login", email=email, password=PASSWORD)).status == 200
    assert (await hash_of(desk, email)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await ask(desk, "login", email=email, password=PASSWORD)).status == 200


async def test_an_old_hash_of_a_long_password_fits_and_its_renewal_counts_every_character(desk: Desk) -> None:
    email, long = (await registered(desk))["user"]["email"], "x" * 70 + "äöü" * 4
    await keep_hash(desk, email, bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode())
    assert (await ask(desk, "login", email=email, password=long)).status == 200
    assert (await ask(desk, "login", email=email, password="x" * 70 + "ä")).status == 401
    assert (await ask(desk, "login", email=email, password=long)).status == 200


async def test_an_old_hash_and_a_zero_byte_are_no_match_and_no_crash(desk: Desk) -> None:
    email = (await registered(desk))["user"]["email"]
    await keep_hash(desk, email, bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())
    assert (await ask(desk, "login", email=email, password=PASSWORD + "\0")).status == 401


async def test_a_hash_of_other_parameters_is_renewed(desk: Desk) -> None:
    email = (await registered(desk))["user"]["email"]
    weaker = passwords.Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
    await keep_hash(desk, email, weaker.hash(PASSWORD))
    assert (await ask(desk, "login", email=email, password=PASSWORD)).status == 200
    assert "m=19456,t=2,p=1" in await hash_of(desk, email)


async def test_a_hash_that_was_damaged_lets_nobody_in(desk: Desk) -> None:
    email = (await registered(desk))["user"]["email"]
    for damaged in ("nonsense", "$argon2id$v=19$m=19456,t=2,p=1$AAAA", "$2b$04$short"):
        await keep_hash(desk, email, damaged)
        assert (await ask(desk, "login", email=email, password=PASSWORD)).code == "INVALID_CREDENTIALS"


async def test_too_many_who_wait_for_a_hash_are_sent_away_and_the_others_served(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "WAITING_MAX", 3)
    async with serving(desk, AUTH) as asking:
        crowd = [sealed(desk, "login", {"email": "nobody@shop.example", "password": WRONG})[0] for _ in range(8)]
        replies = await asyncio.gather(*map(asking, crowd))
        statuses = sorted(reply.status for reply in replies)
        assert statuses.count(401) >= 3
        assert statuses.count(503) >= 1
        assert all(reply.problem and reply.problem.retryable for reply in replies if reply.status == 503)
    # Every place is free again.
    assert (await ask(desk, "login", email="nobody@shop.example", password=WRONG)).status == 401


async def test_the_worker_goes_on_while_it_hashes(desk: Desk) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await desk.tools.passwords.hash(PASSWORD)
    ticking.cancel()
    assert ticks > 100


async def test_neither_password_nor_token_lies_in_valkey_or_in_postgres(desk: Desk) -> None:
    own, key = sealed(desk, "register", {"email": fresh_email(), "password": PASSWORD})
    answer = opened(await deliver(desk, AUTH, own), key)
    following = await ask(desk, "refresh", refreshToken=answer.data["refreshToken"])
    secrets = [PASSWORD, *(data[name] for data in (answer.data, following.data) for name in ("token", "refreshToken"))]
    assert (await desk.pool.fetchval("SELECT reply FROM handled_commands WHERE command_id = $1", own.id)) is not None
    dumps = [msgspec.json.encode(own), bytes(answer.reply.data)]
    dumps += [await cast(Any, desk.redis).dump(name) for name in await cast(Any, desk.redis).keys("*")]
    for table in ("users", "logins", "refresh_tokens", "outbox"):
        dumps += [str(dict(row)).encode() for row in await desk.pool.fetch(f"SELECT * FROM {table}")]
    dumps += [row["reply"] or b"" for row in await desk.pool.fetch("SELECT reply FROM handled_commands")]
    assert len(dumps) > 6
    assert [secret for secret in secrets for dump in dumps if secret.encode() in dump] == []


async def test_a_command_that_comes_twice_makes_one_account_and_the_same_tokens(desk: Desk) -> None:
    email = fresh_email()
    own, key = sealed(desk, "register", {"email": email, "password": PASSWORD})
    first = opened(await deliver(desk, AUTH, own), key)
    await cast(Any, desk.redis).delete(lua.reply_key(own.id))
    assert opened(await deliver(desk, AUTH, own), key) == first
    assert await desk.pool.fetchval("SELECT count(*) FROM logins WHERE user_id = $1", first.data["user"]["id"]) == 1


async def test_a_body_for_another_key_is_no_fault_of_who_sent_it(desk: Desk) -> None:
    other = derive_keys(new_seed()).public
    own = command("login", seal_body(other, {"email": fresh_email(), "password": PASSWORD})[0])
    reply = await deliver(desk, AUTH, own)
    assert reply.problem is not None
    assert (reply.status, reply.problem.code, reply.problem.retryable) == (503, "KEYS_DIFFER", True)


@pytest.mark.parametrize("kind", ["register", "login", "refresh", "logout"])
@pytest.mark.parametrize("body", [{}, {"email": "a@b", "password": PASSWORD}, {"sealed": 5}])
async def test_a_body_that_is_not_sealed_is_refused(desk: Desk, kind: str, body: dict[str, Any]) -> None:
    assert (await handled(desk, AUTH, kind, body)).status == 400


@pytest.mark.parametrize("kind", ["register", "login"])
async def test_the_cart_of_the_guest_follows_whoever_logs_in(desk: Desk, kind: str) -> None:
    fields = {"email": fresh_email(), "password": PASSWORD}
    if kind == "login":
        await registered(desk, **fields)
    own, key = sealed(desk, kind, fields, session_id=GUEST, request_id="r-1")
    user = opened(await deliver(desk, AUTH, own), key).data["user"]
    rows = await desk.pool.fetch("SELECT worker, command, due_at > now() AS waits FROM outbox")
    moving = [(row, told) for row in rows if (told := decode_command(row["command"])).user_id == user["id"]]
    [(row, told)] = moving
    assert (row["worker"], row["waits"], told.kind) == ("migration", True, "migrate")
    assert (told.session_id, told.role, told.request_id, bytes(told.body)) == (GUEST, "USER", "r-1", b"{}")


async def test_without_a_guest_nothing_is_moved(desk: Desk) -> None:
    user = (await registered(desk))["user"]
    rows = await desk.pool.fetch("SELECT command FROM outbox")
    assert [row for row in rows if decode_command(row["command"]).user_id == user["id"]] == []


@pytest.mark.parametrize("sid", ["", "nonsense", new_command_id()], ids=["empty", "nonsense", "unknown"])
async def test_nobody_is_known_by_a_login_that_there_is_not(desk: Desk, sid: str) -> None:
    user = (await registered(desk))["user"]
    assert (await handled(desk, AUTH, "me", {"sid": sid}, user_id=user["id"])).status == 401
