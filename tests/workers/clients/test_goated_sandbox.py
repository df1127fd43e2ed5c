"""Goated's leaderboard, read from its sandbox over HTTP, in every form and with every oddity."""

import hashlib
from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Any

import httpx2
import pytest

from tests.support.sandbox import GoatedSandbox
from tests.workers.clients.conftest import OpenGoated
from workers.clients.goated import Leaderboard, Member
from workers.clients.goated_entries import NAME_MAX, PERIODS
from workers.clients.goated_forms import REASONS_MAX

FORMS = ("success", "list", "data", "results", "nested", "periods")


async def truth(sandbox: GoatedSandbox) -> set[Member]:
    """Everybody, as the books have them."""
    rows = await sandbox.rows()
    return {Member(row["uid"], row["name"], *(Decimal(row["wagered"][name]) for name in PERIODS)) for row in rows}


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    with localcontext(prec=100):
        return sum(amounts, Decimal(0))


async def fetched(opened: OpenGoated, etag: str = "") -> Leaderboard:
    board = await (await opened()).fetch(etag)
    assert board is not None
    return board


@pytest.mark.parametrize("form", FORMS)
async def test_everybody_is_read_in_every_form_with_all_digits(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, form: str
) -> None:
    await goated_sandbox.control(form=form)
    board = await fetched(opened_goated)
    assert board.shape == form
    assert set(board.members) == await truth(goated_sandbox)
    assert len(board.members) == 500
    assert (board.bad, board.bad_count) == ((), 0)
    sums = (await goated_sandbox.books())["sums"]
    for period in PERIODS:
        assert exact_sum(getattr(member, period) for member in board.members) == Decimal(sums[period])
    body = (await goated_sandbox.fetch()).body
    assert (board.size, board.digest) == (len(body), hashlib.sha256(body).digest())


async def test_what_has_not_changed_is_not_read_again(goated_sandbox: GoatedSandbox, opened_goated: OpenGoated) -> None:
    goated = await opened_goated()
    first = await goated.fetch("")
    assert first is not None
    assert await goated.fetch(first.etag) is None
    await goated_sandbox.advance(seconds=60)
    second = await goated.fetch(first.etag)
    assert second is not None
    assert second.etag != first.etag
    requests = (await goated_sandbox.journal())["requests"]
    assert [(one["status"], one["if_none_match"], one["has_token"]) for one in requests] == [
        (200, "", True),
        (304, first.etag, True),
        (200, first.etag, True),
    ]


async def test_a_server_without_etags_tells_by_its_bytes_that_nothing_has_changed(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(etag="missing")
    first, second = await fetched(opened_goated), await fetched(opened_goated)
    assert (first.etag, first.digest) == ("", second.digest)
    await goated_sandbox.advance(seconds=60)
    assert (await fetched(opened_goated)).digest != first.digest


ZEROED = ("null_amount", "invalid_amount", "nan_amount", "missing_amount", "huge_amount")
NOBODY = ("missing_uid", "null_uid", "number_uid", "long_uid", "not_an_object")


@pytest.mark.parametrize("what", ZEROED)
async def test_an_amount_that_is_none_is_nothing_and_counted(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, what: str
) -> None:
    before = await truth(goated_sandbox)
    await goated_sandbox.control(odd={what: 2})
    board = await fetched(opened_goated)
    odd = (await goated_sandbox.books())["odd"]
    expected = {one._replace(this_month=Decimal(0)) if one.uid in odd else one for one in before}
    assert set(board.members) == expected != before
    assert board.bad_count == len(board.bad) == 2
    assert all("this_month is no amount" in why for why in board.bad)


@pytest.mark.parametrize("what", NOBODY)
async def test_an_entry_of_nobody_is_left_out_and_counted(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, what: str
) -> None:
    before = await truth(goated_sandbox)
    await goated_sandbox.control(odd={what: 2})
    board = await fetched(opened_goated)
    odd = (await goated_sandbox.books())["odd"]
    assert set(board.members) == {one for one in before if one.uid not in odd}
    assert board.bad_count == len(board.bad) == len(odd) == 2


async def test_of_a_uid_that_stands_twice_the_larger_counts_and_the_other_is_counted(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    before = await truth(goated_sandbox)
    await goated_sandbox.control(odd={"duplicate_uid": 3})
    board = await fetched(opened_goated)
    assert set(board.members) == before
    assert board.bad_count == 3


async def test_an_amount_below_zero_and_one_as_text_are_kept(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    before = await truth(goated_sandbox)
    await goated_sandbox.control(odd={"negative_amount": 1, "text_amount": 1})
    board = await fetched(opened_goated)
    (uid,) = (uid for uid, what in (await goated_sandbox.books())["odd"].items() if what == "negative_amount")
    assert (
        set(board.members)
        == {one._replace(this_month=-one.this_month) if one.uid == uid else one for one in before}
        != before
    )
    assert board.bad_count == 0


async def test_names_that_no_column_takes_are_made_such_as_it_takes(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(odd={"ugly_name": 1, "long_name": 1, "missing_name": 1})
    board = await fetched(opened_goated)
    names = {what: uid for uid, what in (await goated_sandbox.books())["odd"].items()}
    held = {member.uid: member.name for member in board.members}
    assert held[names["ugly_name"]] == "nul  bell  half \ufffd end"
    assert len(held[names["long_name"]]) == NAME_MAX
    assert held[names["missing_name"]] == ""
    assert board.bad_count == 1


async def test_amounts_that_fall_are_told_as_they_are(goated_sandbox: GoatedSandbox, opened_goated: OpenGoated) -> None:
    before = {member.uid: member for member in (await fetched(opened_goated)).members}
    await goated_sandbox.control(factors={"this_month": 0.5, "all_time": 0})
    board = await fetched(opened_goated)
    assert any(member.this_month > member.all_time for member in board.members)
    assert all(member.this_month <= before[member.uid].this_month for member in board.members)
    assert board.bad_count == 0


async def test_nobody_is_a_leaderboard_and_the_first_reasons_are_told(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(users=0)
    board = await fetched(opened_goated)
    assert (board.members, board.shape, board.bad_count) == ((), "success", 0)
    entries: list[Any] = [None, 1, "x", [], {}] * 10
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{goated_sandbox.port}") as client:
        assert (await client.put("/sandbox/control", json={"entries": entries})).status_code == 200
    board = await fetched(opened_goated)
    assert (board.members, board.bad_count, len(board.bad)) == ((), 50, REASONS_MAX)
    assert board.bad[0] == "Entry 1: it is no object."


@pytest.mark.slow
@pytest.mark.parametrize("form", ["success", "periods"])
async def test_100_000_people_are_read(goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, form: str) -> None:
    await goated_sandbox.control(users=100_000, form=form)
    board = await fetched(opened_goated)
    assert len(board.members) == 100_000
    assert board.size > 10_000_000
    for period in PERIODS:
        sums = (await goated_sandbox.books())["sums"]
        assert exact_sum(getattr(member, period) for member in board.members) == Decimal(sums[period])
