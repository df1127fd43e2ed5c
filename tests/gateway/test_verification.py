"""Verification through HTTP: the whole way of a request, and every answer that a client has to know."""

import asyncio
from typing import Any

import pytest

from contract.bus import new_command_id
from tests.support.goated_rows import add_member, new_uid
from tests.support.http import Response, get, request, send
from tests.support.people_shop import ADMIN_KEY
from tests.support.refusals import code
from tests.support.shop import Shop
from tests.support.shoppers import Shopper

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
AT = "/api/verification"
MADE = {"requestId", "status", "uid", "name", "requestedAt", "expiresAt"}


async def ask(user: Shopper, uid: str) -> Response:
    """Ask to be verified as somebody."""
    return await user.send("POST", f"{AT}/request", {"goatedUid": uid})


async def requested(user: Shopper, uid: str) -> str:
    """The id of a new request."""
    answer = await ask(user, uid)
    assert answer.status == 201, answer
    return answer.json()["data"]["requestId"]


async def decide(boss: Shopper, request_id: str, **more: Any) -> Response:
    """Decide a request."""
    return await boss.send("POST", f"{AT}/confirm", {"requestId": request_id, **more})


async def status_of(user: Shopper) -> Any:
    """What became of the request of a user."""
    answer = await user.send("GET", f"{AT}/status")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    return answer.json()["data"]


async def test_a_user_asks_an_administrator_confirms_and_the_profile_shows_it_at_once(people_shop: Shop) -> None:
    ann, boss = await people_shop.shopper(), await people_shop.shopper(role="ADMIN")
    uid = await add_member(people_shop.desk, "Gareth")
    paths = [f"/api/users/{own}" for own in (ann.user_id, uid)]

    async def verified() -> list[bool]:
        return [(await get(people_shop.settings.port, path)).json()["data"]["isVerified"] for path in paths]

    assert (await status_of(ann))["status"] == "none"
    assert await verified() == [False, False]
    answer = await ask(ann, uid)
    assert answer.status == 201
    made = answer.json()["data"]
    assert set(made) == MADE
    again = await ann.send("POST", f"{AT}/request", {"goatedUid": uid})
    assert (again.status, again.json()["data"]) == (200, made)
    waiting = (await boss.send("GET", f"{AT}/requests")).json()["data"]
    assert made | {"userId": ann.user_id} in waiting["requests"]
    assert waiting["total"] >= 1
    for _ in range(2):
        answer = await decide(boss, made["requestId"], approve=True)
        told = {"requestId": made["requestId"], "status": "verified", "userId": ann.user_id, "uid": uid}
        assert (answer.status, answer.json()["data"]) == (200, told)
        assert await verified() == [True, True]
    told = await status_of(ann)
    assert told.pop("decidedAt").endswith("Z")
    assert told == made | {"status": "verified", "reason": None}
    stats = await get(people_shop.settings.port, f"/api/users/{ann.user_id}/stats")
    assert stats.json()["data"]["uid"] == uid


async def test_a_rejection_tells_its_reason(people_shop: Shop) -> None:
    ann, boss = await people_shop.shopper(), await people_shop.shopper(role="ADMIN")
    own = await requested(ann, await add_member(people_shop.desk))
    assert (await decide(boss, own, approve=False, reason="No proof.")).json()["data"]["status"] == "rejected"
    told = await status_of(ann)
    assert (told["status"], told["reason"]) == ("rejected", "No proof.")
    assert code(await decide(boss, own), 409) == "VERIFICATION_DECIDED"


async def test_the_operator_decides_by_his_key(people_shop: Shop) -> None:
    ann = await people_shop.shopper()
    own = await requested(ann, await add_member(people_shop.desk))
    body = f'{{"requestId":"{own}"}}'.encode()
    raw = request("POST", f"{AT}/confirm", body, Content_Type="application/json", X_Admin_Key=ADMIN_KEY)
    assert (await send(people_shop.settings.port, raw)).status == 200
    assert (await get(people_shop.settings.port, f"{AT}/requests", X_Admin_Key=ADMIN_KEY)).status == 200


async def test_guests_ask_nothing_and_users_decide_nothing(people_shop: Shop) -> None:
    ann, guest = await people_shop.shopper(), people_shop.guest()
    own = await requested(ann, await add_member(people_shop.desk))
    for method, path in (("POST", "request"), ("GET", "status"), ("POST", "confirm"), ("GET", "requests")):
        body = {"requestId": own} if method == "POST" else None
        answer = await guest.send(method, f"{AT}/{path}", body)
        assert code(answer, 401) == "UNAUTHORIZED"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert code(await decide(ann, own), 403) == "FORBIDDEN"
    assert code(await ann.send("GET", f"{AT}/requests"), 403) == "FORBIDDEN"
    assert (await status_of(ann))["status"] == "pending"


@pytest.mark.parametrize(
    "body",
    [{}, {"goatedUid": "a", "goatedName": "b"}, {"goatedUid": 7}, {"goatedUid": "a\0"}, [], {"goatedName": "a" * 201}],
    ids=str,
)
async def test_a_request_that_names_nobody_is_refused_with_a_sentence(people_shop: Shop, body: Any) -> None:
    ann = await people_shop.shopper()
    assert code(await ann.send("POST", f"{AT}/request", body), 400) == "BAD_REQUEST"


async def test_who_cannot_be_asked_for_is_told_why(people_shop: Shop) -> None:
    ann, bob, boss = [await people_shop.shopper(role=role) for role in ("USER", "USER", "ADMIN")]
    one, other = [await add_member(people_shop.desk, "Twin") for _ in range(2)]
    assert code(await ask(ann, new_uid()), 404) == "USER_NOT_FOUND"
    assert code(await ann.send("POST", f"{AT}/request", {"goatedName": "twin"}), 409) == "AMBIGUOUS_NAME"
    own = await requested(ann, one)
    assert code(await ask(ann, other), 409) == "VERIFICATION_PENDING"
    of_bob = await requested(bob, one)
    assert (await decide(boss, own)).status == 200
    assert code(await ask(ann, other), 409) == "ALREADY_VERIFIED"
    assert code(await decide(boss, of_bob), 409) == "TAKEN"
    assert code(await ask(await people_shop.shopper(), one), 409) == "TAKEN"


async def test_a_decision_about_nothing_is_refused(people_shop: Shop) -> None:
    boss = await people_shop.shopper(role="ADMIN")
    assert code(await decide(boss, new_command_id()), 404) == "VERIFICATION_NOT_FOUND"
    assert code(await decide(boss, "short"), 400) == "BAD_REQUEST"
    assert code(await boss.send("POST", f"{AT}/confirm", {"approve": True}), 400) == "BAD_REQUEST"


async def test_a_request_that_was_not_decided_in_time_has_expired(people_shop: Shop) -> None:
    ann, boss = await people_shop.shopper(), await people_shop.shopper(role="ADMIN")
    own = await requested(ann, await add_member(people_shop.desk))
    await people_shop.desk.pool.execute(
        "UPDATE goated_verifications SET expires_at = now() WHERE user_id = $1", ann.user_id
    )
    assert (await status_of(ann))["status"] == "expired"
    assert code(await decide(boss, own), 409) == "VERIFICATION_EXPIRED"
    assert await requested(ann, await add_member(people_shop.desk)) != own


async def test_twenty_requests_at_once_are_one(people_shop: Shop) -> None:
    ann = await people_shop.shopper()
    uids = [await add_member(people_shop.desk) for _ in range(2)]
    answers = await asyncio.gather(*[ask(ann, uids[number % 2]) for number in range(20)])
    assert sorted(answer.status for answer in answers) == [200] * 9 + [201] + [409] * 10
    made = {answer.json()["data"]["requestId"] for answer in answers if answer.status < 300}
    assert len(made) == 1
