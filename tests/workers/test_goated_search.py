"""A search for people at Goated: whom it finds, in which order, and that no sign of a name means anything to it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contract.settings import Settings
from tests.support.desk import handled, open_desk
from tests.support.goated_rows import PEOPLE, add_member, clear_members, problem
from workers.service import Desk


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, driven by hand, and nobody on the leaderboard."""
    async with open_desk(settings, PEOPLE) as opened:
        await clear_members(opened)
        yield opened


async def search(desk: Desk, q: str, **more: Any) -> dict[str, Any]:
    """What a search answers."""
    reply = await handled(desk, PEOPLE, "search_users", {"q": q, **more})
    assert reply.status == 200, reply
    return msgspec.json.decode(reply.data)


async def names(desk: Desk, q: str, **more: Any) -> list[str]:
    """The names that a search finds, in its order."""
    return [user["name"] for user in (await search(desk, q, **more))["results"]]


async def test_a_name_is_found_by_what_stands_in_the_midst_of_it_whatever_its_capitals(desk: Desk) -> None:
    await add_member(desk, "NostalgicGareth")
    await add_member(desk, "somebody else")
    for piece in ("nostalgic", "GARETH", "talgicgar", "gic", "NostalgicGareth"):
        assert await names(desk, piece) == ["NostalgicGareth"], piece
    for other in ("nostalgia", "gareth nostalgic", "garethn", "   "):
        assert await names(desk, other) == [], other


async def test_a_text_of_one_or_two_characters_finds_what_begins_with_it(desk: Desk) -> None:
    for name in ("Abe", "ab", "cab", "Bab", "a_b"):
        await add_member(desk, name)
    assert await names(desk, "AB") == ["ab", "Abe"]
    assert await names(desk, "a") == ["a_b", "ab", "Abe"]
    assert await names(desk, "_") == []
    assert await names(desk, "%") == []


async def test_who_is_called_just_that_comes_first_then_whose_name_begins_with_it_then_others_by_name_and_uid(
    desk: Desk,
) -> None:
    for uid, name in [
        ("1", "the king"),
        ("5", "kingdom"),
        ("4", "a king"),
        ("3", "King"),
        ("6", "King2"),
        ("2", "king"),
    ]:
        await add_member(desk, name, uid)
    found = (await search(desk, "KING"))["results"]
    assert [user["uid"] for user in found] == ["2", "3", "6", "5", "4", "1"]


async def test_characters_in_threes_that_stand_apart_are_no_text(desk: Desk) -> None:
    await add_member(desk, "abcd bcde")
    assert await names(desk, "abcde") == []


@pytest.mark.parametrize("q", ["mark", "m"])
async def test_pages_hold_everybody_once_although_all_are_called_the_same(desk: Desk, q: str) -> None:
    uids = {await add_member(desk, "Mark") for _ in range(7)}
    pages = [await search(desk, q, page=page, limit=3) for page in (1, 2, 3, 4)]
    assert [len(page["results"]) for page in pages] == [3, 3, 1, 0]
    assert {user["uid"] for page in pages for user in page["results"]} == uids
    assert pages[2]["pagination"] == {"page": 3, "limit": 3, "total": 7, "pages": 3}


@pytest.mark.parametrize("q", ["clone", "cl"])
async def test_what_is_found_is_counted_up_to_a_bound(desk: Desk, q: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.goated_users.FOUND_MAX", 4)
    for _ in range(6):
        await add_member(desk, "clone")
    assert (await search(desk, q, limit=2))["pagination"] == {"page": 1, "limit": 2, "total": 4, "pages": 2}


STRANGE = [
    "<b>bold</b>",
    "100%",
    "a\\b_c",
    "'; --",
    "\u05d3\u05e0\u05d9\u05d0\u05dc",
    "\u202eevil",
    "👑king👑",
    "ÄRGER",
    "١٢٣",
]


@pytest.mark.parametrize("name", STRANGE)
async def test_no_sign_of_a_name_or_of_a_search_means_anything(desk: Desk, name: str) -> None:
    await add_member(desk, name)
    await add_member(desk, "somebody else")
    for piece in {name, name[:3], name[-3:], name[:2], name[:1]}:
        assert await names(desk, piece) == [name], piece


letters = st.sampled_from("aB%_\\<é👑\u05d0\u202e' ") | st.characters(exclude_categories=["Cs", "Cc"])


@pytest.mark.slow
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.text(letters, min_size=3, max_size=64))
async def test_a_name_is_found_by_every_piece_of_it_that_has_three_characters(
    desk: Desk, data: st.DataObject, name: str
) -> None:
    uid = await add_member(desk, name)
    try:
        first = data.draw(st.integers(0, len(name) - 3))
        piece = name[first : data.draw(st.integers(first + 3, len(name)))]
        for wanted in (piece, name[: data.draw(st.integers(1, 2))]):
            assert uid in [user["uid"] for user in (await search(desk, wanted, limit=100))["results"]], wanted
    finally:
        await desk.pool.execute("DELETE FROM goated_wagers")
        await desk.pool.execute("DELETE FROM goated_members")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"q": ""},
        {"q": "a" * 65},
        {"q": "a\x00b"},
        {"q": "a\n"},
        {"q": "a", "page": 0},
        {"q": "a", "limit": 101},
        {"q": "a", "page": 101, "limit": 100},
    ],
    ids=str,
)
async def test_a_search_beyond_its_bounds_is_refused(desk: Desk, body: dict[str, Any]) -> None:
    assert problem(await handled(desk, PEOPLE, "search_users", body), 400) == "BAD_REQUEST"
