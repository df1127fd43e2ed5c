"""Where the waiting room sends a buyer: back to where they came from when that is listed, and never anywhere else."""

from urllib.parse import quote

import pytest

from tests.browser.conftest import StandIn, Watched

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

GRACE_MS = 5000
OPEN = {"status": "open", "retryAfterMs": 0, "msg": "Come in"}

# {gateway}, {shop} and {room} stand for the addresses of this run, without a slash at the end.
NASTY = [
    "https://evil.example/",
    "http://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "\t//evil.example/",
    " //evil.example/",
    "http:evil.example/",
    "http:/evil.example/",
    "http:///evil.example/",
    "http:\\\\evil.example/",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    " javascript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript://{shop}/%0aalert(1)",
    "data:text/html,<h1>evil</h1>",
    "blob:{shop}/00000000-0000-0000-0000-000000000000",
    "view-source:{shop}/",
    "file:///etc/passwd",
    "ftp://evil.example/",
    "about:blank",
    "{shop}@evil.example/",
    "http://evil.example@localhost/",
    "http://user:pass@evil.example/",
    "{shop}.evil.example/",
    "{shop}\\@evil.example/",
    "{shop}\x00.evil.example/",
    "{shop}%2eevil.example/",
    "http://localhost:1/",
    "https://localhost/",
    "http://127.0.0.1/",
    "http://loc\u0430lhost/",
    "http://[::1]/",
    "http://",
    "http://:80/",
    "not an address",
    "?return=//evil.example",
    "evil.example",
    "",
    "/" + "a" * 4000,
    "/ca\trt",
    "/cart\r\n",
    "/cart step",
    "/cart\\step",
    "/cart\x7f",
    "/cart\x85",
    " {shop}/",
    "{shop}\\cart",
    "{room}/",
    "{room}/?return=//evil.example",
]


def address(text: str, gateway: StandIn, shop: StandIn, room: str) -> str:
    for name, url in (("{gateway}", gateway.url), ("{shop}", shop.url), ("{room}", room.rstrip("/"))):
        text = text.replace(name, url)
    return text


async def test_an_address_that_is_not_allowed_leads_to_the_gateway(
    gateway: StandIn, shop: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers(OPEN)
    links: dict[str, str | None] = {}
    reached: dict[str, str] = {}
    for nasty in NASTY:
        await watched.page.goto(room + "?return=" + quote(address(nasty, gateway, shop, room), safe=""))
        links[nasty] = await watched.page.get_by_role("link").get_attribute("href")
        await watched.first_look()
        async with watched.page.expect_navigation():
            await watched.run(GRACE_MS)
        reached[nasty] = watched.page.url
    assert links == dict.fromkeys(NASTY, gateway.url + "/")
    assert reached == dict.fromkeys(NASTY, gateway.url + "/")
    assert watched.origins <= {room.rstrip("/"), gateway.url}
    assert watched.faults == []


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("{shop}", "{shop}/"),
        ("{shop}/product/7?colour=red&size=m#buy", "{shop}/product/7?colour=red&size=m#buy"),
        ("{shop}/a?next=//evil.example", "{shop}/a?next=//evil.example"),
        ("{gateway}/shop", "{gateway}/shop"),
        ("/cart?step=2", "{gateway}/cart?step=2"),
        ("/", "{gateway}/"),
        ("/%2F%2Fevil.example", "{gateway}/%2F%2Fevil.example"),
        ("/a/../..//evil.example", "{gateway}//evil.example"),
        ("/<script>alert(1)</script>", "{gateway}/%3Cscript%3Ealert(1)%3C/script%3E"),
    ],
)
async def test_a_listed_address_is_gone_back_to_as_it_is(
    gateway: StandIn, shop: StandIn, room: str, watched: Watched, wanted: str, reached: str
) -> None:
    await gateway.answers(OPEN)
    await watched.page.goto(room + "?return=" + quote(address(wanted, gateway, shop, room), safe=""))
    await watched.first_look()
    await watched.run(GRACE_MS)
    await watched.page.wait_for_url(address(reached, gateway, shop, room))
    assert watched.origins <= {room.rstrip("/"), gateway.url, shop.url}


@pytest.mark.parametrize(
    ("product", "reached"), [("/product?full-referrer", "/product?full-referrer"), ("/product?x", "/")]
)
async def test_a_diverted_buyer_is_sent_back_to_where_they_pressed_buy(
    gateway: StandIn, shop: StandIn, room: str, watched: Watched, product: str, reached: str
) -> None:
    page = watched.page
    await gateway.diverts_to(room)
    await page.goto(f"{shop.url}{product}&to={quote(gateway.url + '/order', safe='')}")
    await page.get_by_role("button", name="Buy").click()
    await page.wait_for_url(room)
    await watched.looks()
    await watched.heading("The shop is full just now")

    await gateway.answers(OPEN)
    await watched.looks(within_ms=13_000)
    await watched.heading("There is room")
    await watched.run(GRACE_MS - 200)
    assert page.url == room
    await watched.run(200)
    await page.wait_for_url(lambda url: url.startswith(shop.url + reached))
    assert watched.faults == []
    assert watched.origins == {room.rstrip("/"), gateway.url, shop.url}


async def test_a_referrer_that_is_not_listed_is_not_gone_back_to(gateway: StandIn, room: str, watched: Watched) -> None:
    await gateway.answers(OPEN)
    await watched.page.goto(room, referer="https://evil.example/product")
    assert await watched.page.evaluate("document.referrer") == "https://evil.example/product"
    await watched.looks()
    await watched.run(GRACE_MS)
    await watched.page.wait_for_url(gateway.url + "/")


async def test_the_waiting_room_leaves_no_step_in_the_history(
    gateway: StandIn, shop: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers(OPEN)
    await watched.page.goto(shop.url + "/start")
    await watched.page.goto(room)
    await watched.looks()
    await watched.run(GRACE_MS)
    await watched.page.wait_for_url(gateway.url + "/")
    await watched.page.go_back()
    assert watched.page.url == shop.url + "/start"


async def test_a_hidden_tab_says_that_there_is_room_and_goes_back_once_it_is_seen(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers(OPEN)
    await watched.page.goto(room)
    await watched.show(False)
    await watched.looks(within_ms=73_000)
    assert await watched.page.title() == "There is room"
    await watched.run(3 * GRACE_MS)
    assert watched.page.url == room
    await watched.show(True)
    await watched.looks()
    await watched.run(GRACE_MS)
    await watched.page.wait_for_url(gateway.url + "/")


async def test_a_tab_hidden_during_the_last_moment_stays_until_it_is_seen(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers(OPEN)
    await watched.page.goto(room)
    await watched.looks()
    await watched.show(False)
    await watched.run(3 * GRACE_MS)
    assert watched.page.url == room
    assert await watched.page.title() == "There is room"


async def test_when_the_way_back_leads_nowhere_the_page_keeps_asking(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers(OPEN)
    await watched.page.goto(room + "?return=%2Fnowhere")
    await watched.page.route("**/nowhere", lambda route: route.fulfill(status=204))
    await watched.looks()
    await watched.run(GRACE_MS)
    await watched.looks(within_ms=11_000)
    assert watched.page.url.startswith(room)
