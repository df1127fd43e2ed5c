"""Pages of Amazon's sandbox: what is sound about them, and each way in which they can be less than that."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.support.amazon_pages import EVENTS, INVENTORY, KINDS, ORDERS, Kind, Reader

EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@EVERY_KIND
async def test_all_pages_together_have_every_row_once(reader: Reader, kind: Kind) -> None:
    whole = await reader.rows(kind)
    await reader.sandbox.control(page_max=7)
    pages = [kind.rows(document) async for document in reader.pages(kind)]
    assert {len(page) for page in pages[:-1]} == {7}
    if kind is not EVENTS:
        assert [row for page in pages for row in page] == whole
        assert len({kind.row_id(row) for row in whole}) == len(whole)
    assert sorted(str(row) for page in pages for row in page) == sorted(map(str, whole))


@EVERY_KIND
async def test_a_page_that_was_asked_for_again_is_the_same(reader: Reader, kind: Kind) -> None:
    await reader.sandbox.control(page_max=20)
    token = kind.token(await reader.page(kind)) or ""
    first, second = [kind.rows(await reader.page(kind, token)) for _ in range(2)]
    assert first == second
    await reader.sandbox.control(is_token_single=True)
    assert (await reader.ask(kind, **{kind.token_name: token})).status == 200
    assert (await reader.ask(kind, **{kind.token_name: token})).status == 400


@EVERY_KIND
async def test_empty_pages_come_in_the_middle(reader: Reader, kind: Kind) -> None:
    whole = await reader.rows(kind)
    await reader.sandbox.control(page_max=20, empty_pages=2)
    pages = [kind.rows(document) async for document in reader.pages(kind)]
    assert [bool(page) for page in pages[:5]] == [True, False, False, True, False]
    assert pages[-1]
    assert sum(map(len, pages)) == len(whole)


@EVERY_KIND
async def test_the_last_page_ends_in_three_ways(reader: Reader, kind: Kind) -> None:
    said: list[str] = []
    for how in ("absent", "empty", "null"):
        await reader.sandbox.control(last_page=how)
        last = [document async for document in reader.pages(kind)][-1]
        said.append(repr(kind.token(last)))
    assert said == ["None", "''", "None"]
    name = "NextToken" if kind.token_name == "NextToken" else "nextToken"
    assert f"'{name}': None" in str(last)


@pytest.mark.parametrize(("length", "empty_pages"), [(1, 0), (3, 0), (3, 1)])
@EVERY_KIND
async def test_tokens_can_come_again_for_ever(reader: Reader, kind: Kind, length: int, empty_pages: int) -> None:
    await reader.sandbox.control(page_max=5, loop=length, empty_pages=empty_pages)
    tokens, token = [""], ""
    for _ in range(4 * length):
        token = kind.token(await reader.page(kind, token)) or ""
        tokens.append(token)
    assert tokens[1 : 1 + length] * 4 == tokens[1:]
    assert len(set(tokens[1:])) == length


@EVERY_KIND
async def test_rows_can_come_again_on_the_next_page(reader: Reader, kind: Kind) -> None:
    whole = await reader.rows(kind)
    await reader.sandbox.control(page_max=20, duplicates=3)
    pages = [kind.rows(document) async for document in reader.pages(kind)]
    rows = [str(row) for page in pages for row in page]
    assert len(rows) == len(whole) + 3 * (len(pages) - 1)
    assert set(rows) == {str(row) for row in whole}


@EVERY_KIND
async def test_rows_can_come_while_somebody_reads(reader: Reader, kind: Kind) -> None:
    before = {kind.row_id(row) for row in await reader.rows(kind)}
    await reader.sandbox.control(page_max=20, insert_while_paging=1)
    found = [kind.row_id(row) for row in await reader.rows(kind)]
    assert set(found) > before
    assert kind is EVENTS or len(found) == len(set(found))


async def test_the_token_of_the_inventory_lasts_a_moment_only(reader: Reader) -> None:
    assert (await reader.sandbox.control())["inventory_token_s"] == 30
    await reader.sandbox.control(inventory_token_s=0.2)
    stock, orders = [(kind, kind.token(await reader.page(kind)) or "") for kind in (INVENTORY, ORDERS)]
    # The lapse of time itself is what is tried.
    await asyncio.sleep(0.25)
    reply = await reader.ask(INVENTORY, nextToken=stock[1])
    assert (reply.status, reply.json()["errors"][0]["code"]) == (400, "InvalidInput")
    assert "expired" in reply.json()["errors"][0]["message"]
    assert (await reader.ask(ORDERS, NextToken=orders[1])).status == 200
    await reader.sandbox.control(page_token_s=0)
    assert (await reader.ask(ORDERS, NextToken=orders[1])).status == 400


async def test_a_token_has_to_be_quoted_in_a_url(reader: Reader) -> None:
    token = ORDERS.token(await reader.page(ORDERS)) or ""
    assert "+" in token or "/" in token


async def test_the_items_of_a_large_order_come_in_pages(reader: Reader) -> None:
    await reader.sandbox.control(page_max=5)
    counts = Counter(row["order_id"] for row in await reader.sandbox.books("items"))
    order_id, count = counts.most_common(1)[0]
    assert count > 5
    items: list[Any] = []
    path, token = f"/orders/v0/orders/{order_id}/orderItems", ""
    while True:
        query = {"NextToken": token} if token else {}
        payload = (await reader.sandbox.get(path, reader.token, **query)).json()["payload"]
        items += payload["OrderItems"]
        token = payload.get("NextToken", "")
        if not token:
            break
    assert len({item["OrderItemId"] for item in items}) == count


async def test_a_page_can_be_as_large_as_amazon_s_largest(reader: Reader) -> None:
    await reader.sandbox.control(padding=10_000_000)
    reply = await reader.ask(INVENTORY)
    assert len(reply.body) > 10_000_000
    assert len(INVENTORY.rows(reply.json())) == 50
