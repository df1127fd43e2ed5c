"""Login with Amazon, and the page of consent: who gets a token, for how long, and what is said to those who do not."""

import asyncio
import time
from pathlib import Path

import pytest

from contract.settings import Settings
from tests.support.amazon_pages import INVENTORY, Reader
from tests.support.http import Response
from tests.support.sandbox import AMAZON_SELLER, AmazonSandbox, running_amazon


def refusal(reply: Response) -> tuple[int, str]:
    """Status and error of an answer that gives no token."""
    document = reply.json()
    assert document["error_description"]
    return reply.status, document["error"]


def denial(reply: Response) -> str:
    """What a refusal of the API says is wrong with an access token."""
    assert reply.status == 403
    (error,) = reply.json()["errors"]
    assert error["code"] == "Unauthorized"
    assert "x-amzn-ratelimit-limit" not in reply.headers
    return error["details"]


async def test_a_consent_becomes_a_refresh_token_and_that_an_access_token(amazon: AmazonSandbox) -> None:
    back = await amazon.consent("http://shop.example/back?from=amazon")
    assert (back["state"], back["selling_partner_id"], back["from"]) == ("a-state", AMAZON_SELLER, "amazon")
    granted = await amazon.login(grant_type="authorization_code", code=back["spapi_oauth_code"])
    refresh_token = granted.json()["refresh_token"]
    fresh = (await amazon.login(grant_type="refresh_token", refresh_token=refresh_token)).json()
    assert fresh["access_token"].startswith("Atza|")
    assert (fresh["token_type"], fresh["expires_in"], fresh["refresh_token"]) == ("bearer", 3600, refresh_token)
    assert (await Reader(amazon, fresh["access_token"]).ask(INVENTORY)).status == 200


async def test_a_code_is_good_once_and_for_the_address_it_was_sent_to(amazon: AmazonSandbox) -> None:
    code = (await amazon.consent("http://shop.example/back"))["spapi_oauth_code"]
    asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://shop.example/back"}
    assert (await amazon.login(**asked)).status == 200
    assert refusal(await amazon.login(**asked)) == (400, "invalid_grant")
    other = (await amazon.consent("http://shop.example/back"))["spapi_oauth_code"]
    wrong = await amazon.login(grant_type="authorization_code", code=other, redirect_uri="http://thief.example/")
    assert refusal(wrong) == (400, "invalid_grant")


async def test_a_seller_who_says_no_comes_back_without_a_code(amazon: AmazonSandbox) -> None:
    back = await amazon.consent(deny="1")
    assert (back["error"], back["state"]) == ("access_denied", "a-state")
    assert "spapi_oauth_code" not in back
    await amazon.control(consent="denied")
    assert (await amazon.consent())["error"] == "access_denied"


@pytest.mark.parametrize("change", [{"application_id": "another"}, {"state": ""}, {"redirect_uri": "javascript:1"}])
async def test_a_page_of_consent_that_nobody_can_come_back_from_is_refused(
    amazon: AmazonSandbox, change: dict[str, str]
) -> None:
    with pytest.raises(AssertionError, match="errors"):
        await amazon.consent(**change)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "refresh_token", "refresh_token": "Atzr|nobody"}, (400, "invalid_grant")),
        ({"grant_type": "refresh_token", "refresh_token": f"Atzr|{AMAZON_SELLER}.0.1234"}, (400, "invalid_grant")),
        ({"grant_type": "refresh_token"}, (400, "invalid_request")),
        ({"grant_type": "authorization_code"}, (400, "invalid_request")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({}, (400, "invalid_request")),
        ({"grant_type": "refresh_token", "client_id": "another"}, (401, "invalid_client")),
        ({"grant_type": "refresh_token", "client_secret": "wrong"}, (401, "invalid_client")),
    ],
)
async def test_who_cannot_prove_who_he_is_gets_no_token(
    amazon: AmazonSandbox, form: dict[str, str], expected: tuple[int, str]
) -> None:
    assert refusal(await amazon.login(**form)) == expected


async def test_a_fault_at_login_is_told_as_login_tells_it(amazon: AmazonSandbox) -> None:
    fault = {"match": "POST /auth/*", "status": 400, "code": "unauthorized_client"}
    await amazon.control(faults=[fault, {"match": "POST /auth/*", "status": 503}])
    assert refusal(await amazon.login()) == (400, "unauthorized_client")
    assert refusal(await amazon.login()) == (503, "temporarily_unavailable")


@pytest.mark.slow
async def test_an_access_token_really_expires(amazon: AmazonSandbox) -> None:
    await amazon.control(expires_in_s=1)
    reader = Reader(amazon, await amazon.access_token())
    started = time.monotonic()
    async with asyncio.timeout(10):
        while (reply := await reader.ask(INVENTORY)).status != 403:
            await asyncio.sleep(0.05)
    assert time.monotonic() - started > 0.5
    assert denial(reply) == "The access token you provided has expired."


async def test_it_says_what_is_wrong_with_an_access_token(reader: Reader) -> None:
    amazon = reader.sandbox
    assert denial(await amazon.ask("GET", INVENTORY.path)) == "Access token is missing in the request header."
    unknown = "The access token you provided is revoked, malformed or invalid."
    assert denial(await Reader(amazon, "Atza|made-up").ask(INVENTORY)) == unknown
    await amazon.expire()
    assert denial(await reader.ask(INVENTORY)) == "The access token you provided has expired."
    await amazon.control(denial_text_in="message")
    (error,) = (await reader.ask(INVENTORY)).json()["errors"]
    assert (error["message"], error["details"]) == ("The access token you provided has expired.", "")
    await amazon.control(denial_text_in="details")
    await amazon.expire("revoked")
    assert denial(await reader.ask(INVENTORY)) == unknown


async def test_a_seller_can_take_back_what_he_has_allowed_and_allow_it_again(reader: Reader) -> None:
    amazon = reader.sandbox
    old = await amazon.refresh_token()
    await amazon.control(revoked=[AMAZON_SELLER])
    assert "revoked" in denial(await reader.ask(INVENTORY))
    assert refusal(await amazon.login(grant_type="refresh_token", refresh_token=old)) == (400, "invalid_grant")
    fresh = await amazon.refresh_token()
    assert (await amazon.login(grant_type="refresh_token", refresh_token=fresh)).status == 200
    assert refusal(await amazon.login(grant_type="refresh_token", refresh_token=old)) == (400, "invalid_grant")


async def test_a_refresh_token_that_rotates_is_good_once(amazon: AmazonSandbox) -> None:
    first = await amazon.refresh_token()
    await amazon.control(rotates=True)
    second = (await amazon.login(grant_type="refresh_token", refresh_token=first)).json()["refresh_token"]
    assert second != first
    assert refusal(await amazon.login(grant_type="refresh_token", refresh_token=first)) == (400, "invalid_grant")
    assert (await amazon.login(grant_type="refresh_token", refresh_token=second)).status == 200


async def test_sellers_see_each_their_own(amazon: AmazonSandbox) -> None:
    await amazon.control(rate_scale=10_000)
    seen = [await Reader(amazon, await amazon.access_token(seller)).rows(INVENTORY) for seller in ("AONE", "ATWO")]
    assert seen[0] != seen[1]
    assert [row["totalQuantity"] for row in seen[0]] == [
        row["total"] for row in await amazon.books("inventory", "AONE")
    ]


@pytest.mark.slow
async def test_a_refresh_token_outlives_the_process(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, amazon_refresh_token="Atzr|of-the-settings")
    async with running_amazon(settings) as amazon:
        refresh_token = await amazon.refresh_token("AONE")
    async with running_amazon(settings) as amazon:
        for token in (refresh_token, "Atzr|of-the-settings"):
            assert (await amazon.login(grant_type="refresh_token", refresh_token=token)).status == 200
