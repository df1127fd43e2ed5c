"""Cached answers as administrators see and drop them: names and ages, never what is in them."""

import json
from urllib.parse import quote

import pytest

import lua
from contract.access_tokens import make_access_token
from contract.auth_keys import private_keys
from contract.bus import new_command_id
from tests.support.cache import fill, let_pass
from tests.support.http import Response
from tests.support.race_stage import ADMIN_KEY, Stage
from tests.support.refusals import code

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = "/api/admin/cache"
SECRET = b'{"owner":"nobody else\'s business"}'


async def asked(races: Stage, method: str, query: str = "") -> Response:
    """What the operator is answered."""
    return await races.ask(method, AT + query, X_Admin_Key=ADMIN_KEY)


async def test_what_is_cached_is_listed_by_its_names_with_sizes_and_ages_and_without_the_answers(
    races: Stage,
) -> None:
    await fill(races.desk.redis, "race:current:1:10", SECRET, kept_s=600)
    await fill(races.desk.redis, "race:schedule", b"{}", kept_s=600)
    await let_pass(races.desk.redis, "race:current:1:10", 100)
    answer = await asked(races, "GET", "?pattern=race:*")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert b"business" not in answer.body
    data = answer.json()["data"]
    assert data["limit"] == 1000
    first, second = data["answers"]
    assert (first["name"], second["name"]) == ("race:current:1:10", "race:schedule")
    assert (first["bytes"], first["filling"]) == (len(SECRET), False)
    assert 100_000 <= first["ageMs"] < 110_000
    assert 490_000 < first["lapsesInMs"] <= 500_000


async def test_without_a_pattern_all_families_are_listed(races: Stage) -> None:
    await fill(races.desk.redis, "race:schedule")
    await fill(races.desk.redis, "affiliate:stats")
    names = [one["name"] for one in (await asked(races, "GET")).json()["data"]["answers"]]
    assert names == ["affiliate:stats", "race:schedule"]


async def test_what_is_dropped_is_gone_and_the_rest_stays(races: Stage) -> None:
    for name in ("race:current:1:10", "race:current:2:10", "race:schedule"):
        await fill(races.desk.redis, name)
    answer = await asked(races, "DELETE", "?pattern=race:current:*")
    assert answer.json() == {"status": "success", "data": {"gone": 2, "faults": []}}
    assert [one.name for one in await lua.list_cached(races.desk.redis, "race:*")] == ["race:schedule"]
    assert (await asked(races, "DELETE", "?pattern=race:schedule")).json()["data"]["gone"] == 1
    assert (await asked(races, "DELETE", "?pattern=race:schedule")).json()["data"]["gone"] == 0


async def test_whoever_fills_an_answer_that_is_dropped_keeps_nothing(races: Stage) -> None:
    lease = lua.new_lease()
    await lua.lease_cached(races.desk.redis, "race:schedule", lease, lease_s=5, fresh_s=0)
    assert (await asked(races, "DELETE", "?pattern=race:*")).json()["data"]["gone"] == 1
    assert not await lua.store_cached(races.desk.redis, "race:schedule", lease, b"{}", kept_s=60)


async def test_a_pattern_that_nothing_can_match_is_told(races: Stage) -> None:
    data = (await asked(races, "DELETE", "?pattern=nonsense")).json()["data"]
    assert data == {"gone": 0, "faults": ["No cached answer can match 'nonsense'."]}
    assert (await asked(races, "GET", "?pattern=nonsense")).json()["data"]["answers"] == []


@pytest.mark.parametrize("query", ["", "?pattern=", "?pattern=race:*&pattern=game:*", "?" + "a=1&" * 9])
async def test_everything_is_dropped_only_for_whoever_says_so(races: Stage, query: str) -> None:
    await fill(races.desk.redis, "race:schedule")
    assert code(await asked(races, "DELETE", query), 400) == "BAD_REQUEST"
    assert len(await lua.list_cached(races.desk.redis, "race:*")) == 1
    assert (await asked(races, "DELETE", f"?pattern={quote('*')}")).json()["data"]["gone"] == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_nobody_but_an_administrator_may_look_or_drop(races: Stage, method: str) -> None:
    await fill(races.desk.redis, "race:schedule")
    token = make_access_token(private_keys(races.settings), new_command_id(), new_command_id(), "USER", 900)
    assert code(await races.ask(method, f"{AT}?pattern=*"), 401) == "UNAUTHORIZED"
    assert code(await races.ask(method, f"{AT}?pattern=*", Authorization=f"Bearer {token}"), 403) == "FORBIDDEN"
    assert len(await lua.list_cached(races.desk.redis, "race:*")) == 1


@pytest.mark.slow
async def test_a_list_has_an_end(races: Stage) -> None:
    for number in range(1, 1004):
        await fill(races.desk.redis, f"race:current:{number}:10", b"{}")
    answers = json.loads((await asked(races, "GET", "?pattern=race:*")).body)["data"]["answers"]
    assert len(answers) == 1000
