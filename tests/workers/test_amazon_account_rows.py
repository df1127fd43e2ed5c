"""Accounts at Amazon as they stand in Postgres: whose is found, which token acts for it, and when it ends."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from contract.settings import Settings
from tests.support.desk import open_desk
from tests.support.sellers import ACCOUNTS, Seller, add_seller, token_of
from workers.amazon_account_rows import find_account, revoke, token_keeper
from workers.clients.amazon import Account
from workers.service import Desk, Refuse
from workers.vault import Vault

SETTING_TOKEN = "Atzr|of-the-setting"


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, driven by hand."""
    async with open_desk(settings, ACCOUNTS) as opened:
        yield opened


@pytest.fixture
async def ann(desk: Desk) -> Seller:
    return await add_seller(desk)


async def test_the_account_of_the_setting_is_for_who_has_none_until_he_disconnects(settings: Settings) -> None:
    own = msgspec.structs.replace(settings, amazon_refresh_token=SETTING_TOKEN)
    async with open_desk(own, ACCOUNTS) as desk:
        cat = await add_seller(desk)
        account = Account(cat.user_id, "environment", "ATVPDKIKX0DER", SETTING_TOKEN)
        assert await find_account(desk, cat.user_id) == account
        status = await cat.data("account_status")
        assert (status["connected"], status["status"], status["sellerId"]) == (True, "connected", "environment")
        sync = await cat.running()
        await cat.data("disconnect")
        assert (await find_account(desk, cat.user_id), await cat.status_of(sync)) == (None, "cancelled")
        assert (await cat.data("account_status"))["status"] == "disconnected"
        token = await cat.connect()
        assert await find_account(desk, cat.user_id) == account._replace(seller_id="A1SELLER", refresh_token=token)


async def test_an_account_whose_token_amazon_takes_no_more_wants_to_be_connected_again(ann: Seller) -> None:
    old = Account(ann.user_id, "A1SELLER", "ATVPDKIKX0DER", await ann.connect())
    new = old._replace(refresh_token=await ann.connect())

    async def is_news(account: Account) -> bool:
        async with ann.desk.pool.acquire() as connection, connection.transaction():
            return await revoke(ann.desk, connection, account)

    # It was connected anew meanwhile.
    assert await is_news(old) is False
    assert await find_account(ann.desk, ann.user_id) == new
    assert await is_news(new) is True
    assert await is_news(new) is False
    status = await ann.data("account_status")
    assert (status["connected"], status["status"], status["needsReconnect"]) == (False, "revoked", True)
    assert status["endedAt"] is not None
    await ann.connect()
    status = await ann.data("account_status")
    assert (status["connected"], status["needsReconnect"], status["endedAt"]) == (True, False, None)


async def test_a_token_that_no_seed_here_opens_is_told_as_our_fault(ann: Seller) -> None:
    await ann.connect()
    other = ann.desk._replace(tools=ann.desk.tools._replace(vault=Vault(["ab" * 32])))
    with pytest.raises(Refuse) as refused:
        await find_account(other, ann.user_id)
    assert (refused.value.status, refused.value.problem.code) == (503, "VAULT_CLOSED")


async def test_another_token_takes_the_place_of_its_own_and_of_no_later_one(ann: Seller) -> None:
    keep = token_keeper(ann.desk.settings, ann.desk.tools.vault)
    old = Account(ann.user_id, "A1SELLER", "ATVPDKIKX0DER", await ann.connect())
    await keep(old, "Atzr|another")
    assert await token_of(ann) == "Atzr|another"
    # This one has been exchanged already.
    await keep(old, "Atzr|late")
    assert await token_of(ann) == "Atzr|another"
    await ann.data("disconnect")
    await keep(old._replace(refresh_token="Atzr|another"), "Atzr|later")
    assert (await ann.row())["sealed_token"] is None
