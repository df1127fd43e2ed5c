"""Accounts at Amazon: connected by who began it, once and in time; disconnected, revoked, and told of."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

import lua
from contract.sealing import Unopened
from contract.settings import Settings
from tests.support.desk import command, deliver, open_desk
from tests.support.sellers import ACCOUNTS, REDIRECT_URI, Seller, add_seller, digest, problem, token_of
from workers.amazon_account_rows import find_account
from workers.amazon_accounts import CONSENTS_MAX
from workers.clients.amazon import Account, AmazonFault, Kind
from workers.service import Desk, Ending, Refuse
from workers.vault import place_of_token

LATE = "UPDATE amazon_consents SET expires_at = now() WHERE digest = $1"
READ_UNTIL = "UPDATE amazon_accounts SET claims_until = now(), orders_until = now() WHERE user_id = $1"
SETTING_TOKEN = "Atzr|of-the-setting"


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, driven by hand."""
    async with open_desk(settings, ACCOUNTS) as opened:
        yield opened


@pytest.fixture
async def ann(desk: Desk) -> Seller:
    return await add_seller(desk)


@pytest.fixture
async def bob(desk: Desk) -> Seller:
    return await add_seller(desk)


async def finishing(seller: Seller, state: str, code: str) -> Ending:
    """The handler alone, beside others."""
    return await ACCOUNTS.handlers["finish_consent"](seller.desk, seller.back(state, code))


async def test_who_comes_back_from_amazon_is_connected(ann: Seller) -> None:
    code, token = ann.lwa.code()
    reply = await ann.finish(await ann.begin(), code, "A1SELLER")
    assert reply.status == 200
    told = msgspec.json.decode(reply.data)
    assert {**told, "connectedAt": ""} == {
        "connected": True,
        "sellerId": "A1SELLER",
        "marketplaceId": "ATVPDKIKX0DER",
        "connectedAt": "",
    }
    assert ann.lwa.asked == [(code, REDIRECT_URI)]
    assert await find_account(ann.desk, ann.user_id) == Account(ann.user_id, "A1SELLER", "ATVPDKIKX0DER", token)
    status = await ann.data("account_status")
    assert status == {
        **told,
        "status": "connected",
        "endedAt": None,
        "needsReconnect": False,
        "isSandbox": True,
        "syncInProgress": False,
        "lastSync": None,
    }


async def test_a_token_lies_sealed_for_its_own_user(ann: Seller, bob: Seller) -> None:
    token = await ann.connect()
    sealed: bytes = (await ann.row())["sealed_token"]
    assert token.encode() not in sealed
    assert ann.desk.tools.vault.open(sealed, place_of_token(ann.user_id)) == token
    with pytest.raises(Unopened):
        ann.desk.tools.vault.open(sealed, place_of_token(bob.user_id))


async def test_the_state_of_somebody_else_connects_nothing_and_amazon_is_not_asked(ann: Seller, bob: Seller) -> None:
    state = await ann.begin()
    code, _ = ann.lwa.code()
    assert problem(await bob.finish(state, code), 400) == "CONSENT_UNKNOWN"
    assert problem(await bob.finish("x" * 43, code), 400) == "CONSENT_UNKNOWN"
    assert (ann.lwa.asked, await bob.row()) == ([], None)
    # Nor was it used up by that.
    assert (await ann.finish(state, code)).status == 200


async def test_a_state_is_good_once(ann: Seller) -> None:
    state = await ann.begin()
    assert (await ann.finish(state, ann.lwa.code()[0])).status == 200
    assert problem(await ann.finish(state, ann.lwa.code()[0]), 400) == "CONSENT_UNKNOWN"
    assert len(ann.lwa.asked) == 1


async def test_a_command_that_comes_twice_says_the_same_and_asks_amazon_once(ann: Seller) -> None:
    own = ann.back(await ann.begin(), ann.lwa.code()[0])
    first = await deliver(ann.desk, ACCOUNTS, own)
    assert first.status == 200
    assert await deliver(ann.desk, ACCOUNTS, own) == first
    assert len(ann.lwa.asked) == 1


async def test_a_state_of_ten_minutes_ago_is_good_for_nothing(ann: Seller) -> None:
    state = await ann.begin()
    left = "SELECT extract(epoch FROM expires_at - now())::float8 FROM amazon_consents WHERE digest = $1"
    assert 590 < await ann.desk.pool.fetchval(left, bytes.fromhex(digest(state))) <= 600
    await ann.desk.pool.execute(LATE, bytes.fromhex(digest(state)))
    assert problem(await ann.finish(state, ann.lwa.code()[0]), 400) == "CONSENT_UNKNOWN"
    assert ann.lwa.asked == []


async def test_of_too_many_ways_to_amazon_the_oldest_lead_nowhere(ann: Seller, bob: Seller) -> None:
    others = await bob.begin()
    states = [await ann.begin() for _ in range(CONSENTS_MAX + 1)]
    assert problem(await ann.finish(states[0], ann.lwa.code()[0]), 400) == "CONSENT_UNKNOWN"
    assert (await ann.finish(states[1], ann.lwa.code()[0])).status == 200
    assert (await bob.finish(others, bob.lwa.code()[0])).status == 200


@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [
        ("revoked", 400, "CONSENT_REFUSED"),
        ("refused", 400, "CONSENT_REFUSED"),
        ("denied", 503, "AMAZON_DENIED"),
        ("away", 503, "AMAZON_UNAVAILABLE"),
        ("throttled", 503, "AMAZON_UNAVAILABLE"),
        ("unreadable", 503, "AMAZON_UNAVAILABLE"),
    ],
)
async def test_what_amazon_says_of_a_code_is_told_and_keeps_nothing(
    ann: Seller, kind: Kind, status: int, told: str
) -> None:
    state, (code, _) = await ann.begin(), ann.lwa.code()
    ann.lwa.fault = AmazonFault(kind, "no")
    reply = await ann.finish(state, code)
    assert problem(reply, status) == told
    assert reply.problem is not None
    assert reply.problem.retryable == (told == "AMAZON_UNAVAILABLE")
    assert await ann.row() is None
    # The way is not used up by that: whoever reloads the page may have more luck.
    ann.lwa.fault = None
    assert (await ann.finish(state, code)).status == 200


async def test_of_two_who_come_back_at_once_with_one_state_one_is_connected(ann: Seller) -> None:
    state = await ann.begin()
    codes = [ann.lwa.code(), ann.lwa.code()]
    ann.lwa.may_answer.clear()
    both = [asyncio.create_task(finishing(ann, state, code)) for code, _ in codes]
    for _ in both:
        await ann.lwa.is_asked.acquire()
    ann.lwa.may_answer.set()
    endings = await asyncio.gather(*both, return_exceptions=True)
    refused = [ending for ending in endings if isinstance(ending, Refuse)]
    assert [ending.problem.code for ending in refused] == ["CONSENT_UNKNOWN"]
    winner = next(number for number, ending in enumerate(endings) if not isinstance(ending, Refuse))
    assert await token_of(ann) == codes[winner][1]


async def test_who_disconnects_while_amazon_is_asked_stays_disconnected(ann: Seller) -> None:
    state, (code, _) = await ann.begin(), ann.lwa.code()
    ann.lwa.may_answer.clear()
    coming = asyncio.create_task(finishing(ann, state, code))
    await ann.lwa.is_asked.acquire()
    assert await ann.data("disconnect") == {"connected": False}
    ann.lwa.may_answer.set()
    with pytest.raises(Refuse, match="not begun here, or too long ago"):
        await coming
    assert await find_account(ann.desk, ann.user_id) is None


async def test_the_same_account_goes_on_where_it_was_and_another_one_is_read_anew(ann: Seller) -> None:
    await ann.connect("A1SELLER")
    await ann.desk.pool.execute(READ_UNTIL, ann.user_id)
    first = await ann.row()
    token = await ann.connect("A1SELLER")
    again = await ann.row()
    assert (again["claims_until"], again["orders_until"]) == (first["claims_until"], first["orders_until"])
    assert again["connected_at"] > first["connected_at"]
    assert await token_of(ann) == token
    await ann.connect("A2SELLER")
    other = await ann.row()
    assert (other["seller_id"], other["claims_until"], other["orders_until"]) == ("A2SELLER", None, None)


async def test_a_sync_is_cancelled_when_another_account_is_connected_and_goes_on_with_the_same(ann: Seller) -> None:
    await ann.connect("A1SELLER")
    sync = await ann.running()
    await ann.connect("A1SELLER")
    assert await ann.status_of(sync) == "running"
    assert (await ann.data("account_status"))["syncInProgress"] is True
    await ann.connect("A2SELLER")
    assert await ann.status_of(sync) == "cancelled"


async def test_who_disconnects_has_no_token_here_any_more_and_no_sync_that_runs(ann: Seller, bob: Seller) -> None:
    await ann.connect()
    await bob.connect()
    sync, others = await ann.running(), await bob.running()
    redis: Any = ann.desk.redis
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(lua.PROGRESS_CHANNEL)
        assert await ann.data("disconnect") == {"connected": False}
        messages = pubsub.listen()
        while (message := await anext(messages))["type"] != "message":
            pass
    news = msgspec.json.decode(message["data"])
    assert (news["userId"], news["sync"]["syncId"], news["sync"]["status"]) == (ann.user_id, sync, "cancelled")
    row = await ann.row()
    assert (row["status"], row["sealed_token"]) == ("disconnected", None)
    assert await find_account(ann.desk, ann.user_id) is None
    assert (await ann.status_of(sync), await bob.status_of(others)) == ("cancelled", "running")
    status = await ann.data("account_status")
    assert (status["connected"], status["status"], status["needsReconnect"]) == (False, "disconnected", False)
    assert status["lastSync"]["syncId"] == sync
    # Repeated, it says the same, and changes nothing.
    assert await ann.data("disconnect") == {"connected": False}
    assert await ann.row() == row


async def test_who_has_connected_nothing_may_disconnect_and_nothing_is_written(ann: Seller) -> None:
    assert await ann.data("disconnect") == {"connected": False}
    assert await ann.row() is None
    status = await ann.data("account_status")
    assert (status["connected"], status["status"], status["sellerId"]) == (False, "not_connected", None)


async def test_a_way_that_was_begun_before_disconnecting_leads_nowhere(ann: Seller) -> None:
    state = await ann.begin()
    await ann.data("disconnect")
    assert problem(await ann.finish(state, ann.lwa.code()[0]), 400) == "CONSENT_UNKNOWN"


async def test_a_body_that_was_sealed_for_another_worker_is_told_as_our_fault(ann: Seller) -> None:
    own = command("finish_consent", {"sealed": "bm90IG9uZSBvZiBvdXJz"}, user_id=ann.user_id)
    assert problem(await deliver(ann.desk, ACCOUNTS, own), 503) == "KEYS_DIFFER"


async def test_a_user_who_is_no_more_begins_nothing(desk: Desk) -> None:
    nobody = Seller(desk, "nobody-here")
    assert problem(await nobody.ask("begin_consent", {"digest": "ab" * 32}), 401) == "UNAUTHORIZED"
