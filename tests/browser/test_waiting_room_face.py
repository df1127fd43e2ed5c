"""The waiting room for eyes, ears and hands: what it says and when, its looks, the keyboard, no scripts at all."""

from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page

from tests.browser.conftest import StandIn, Watched

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

GRACE_MS = 5000
BUSY = {"status": "busy", "retryAfterMs": 5000}
OPEN = {"status": "open", "retryAfterMs": 0}
SOLD_OUT = {"status": "sold_out", "retryAfterMs": 5000}
NO_SENSE: dict[str, Any] = {}

SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]
WINDOWS = [(320, 480), (390, 844), (844, 390), (768, 1024), (1280, 800), (2560, 1440)]

COUNT_NEWS = """
window.news = 0;
new MutationObserver(() => window.news++).observe(document.querySelector("[aria-live=polite]"),
  { childList: true, subtree: true, characterData: true, attributes: true });
"""

# The lowest contrast between a text of the page and what lies behind it, by the formula of WCAG 2.
LOWEST_CONTRAST = """
() => {
  const parse = (css) => css.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a === 1) return [r, g, b];
    }
  };
  return Math.min(...[...document.querySelectorAll("main p, main h1, main a, main button, main li, main label")]
    .filter((e) => e.checkVisibility() && e.textContent.trim())
    .map((e) => {
      const [dark, bright] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((a, b) => a - b);
      return (bright + 0.05) / (dark + 0.05);
    }));
}
"""


async def focused(page: Page) -> str:
    return await page.evaluate("document.activeElement.id")


async def keeps_asking(watched: Watched) -> None:
    """Let more time pass than the automatic return would have taken; a page that stays asks seldom."""
    for _ in range(2):
        assert await watched.looks(within_ms=38_000) > 4 * GRACE_MS


async def test_the_live_region_changes_only_when_there_is_news(gateway: StandIn, room: str, watched: Watched) -> None:
    await gateway.answers(BUSY)
    await watched.page.goto(room)
    await watched.page.evaluate(COUNT_NEWS)
    for _ in range(4):
        await watched.looks(within_ms=7000)
    assert await watched.page.evaluate("window.news") == 0
    await gateway.answers(NO_SENSE)
    for _ in range(3):
        await watched.looks(within_ms=20_000)
    assert await watched.page.evaluate("window.news") == 1
    await gateway.answers(OPEN)
    await watched.looks(within_ms=61_000)
    await watched.run(GRACE_MS - 200)
    assert await watched.page.evaluate("window.news") == 2


async def test_the_region_tells_the_state_and_the_title_tells_it_in_short(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    page = watched.page
    await page.goto(room)
    region = page.get_by_role("status")
    assert await page.title() == "Waiting: the shop is full"
    assert "you are in the waiting room" in await region.inner_text()
    text = await page.locator("main").inner_text()
    for promise in ("nothing was ordered, and nothing was charged", "leave this tab open", "never counts twice"):
        assert promise in text
    await gateway.answers(OPEN)
    await watched.looks()
    assert await page.title() == "There is room. Going back"
    assert "There is room\n\nTaking you back now." in await region.inner_text()


async def test_the_return_can_be_refused_by_keyboard_and_the_page_then_stays(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    page = watched.page
    await gateway.answers(OPEN)
    await page.goto(room)
    await page.keyboard.press("Tab")
    assert await focused(page) == "back"
    await watched.looks()
    assert await focused(page) == "back"
    await page.keyboard.press("Tab")
    assert await focused(page) == "stay"
    await page.keyboard.press("Enter")
    assert await focused(page) == "back"
    await keeps_asking(watched)
    assert page.url == room
    assert not await page.get_by_role("checkbox").is_checked()
    await page.keyboard.press("Enter")
    await page.wait_for_url(gateway.url + "/")


async def test_escape_refuses_the_return_as_well(gateway: StandIn, room: str, watched: Watched) -> None:
    await gateway.answers(OPEN)
    await watched.page.goto(room)
    await watched.looks()
    await watched.page.keyboard.press("Escape")
    await keeps_asking(watched)
    assert watched.page.url == room
    assert await watched.page.title() == "There is room"


async def test_the_return_can_be_switched_off_before_there_is_room_and_on_again(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers(OPEN)
    await watched.page.goto(room)
    box = watched.page.get_by_role("checkbox", name="Take me back when there is room")
    await box.focus()
    await watched.page.keyboard.press("Space")
    await watched.looks()
    await keeps_asking(watched)
    assert watched.page.url == room
    await box.check()
    await watched.looks()
    await watched.run(GRACE_MS)
    await watched.page.wait_for_url(gateway.url + "/")


async def test_without_scripts_the_link_is_there_and_nothing_moves_by_itself(
    browser: Browser, gateway: StandIn, room: str
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    try:
        page = await context.new_page()
        response = await page.goto(room)
        assert response
        assert "refresh" not in response.headers
        assert await page.locator("meta[http-equiv]").count() == 0
        assert await page.get_by_text("cannot ask for you without scripts").is_visible()
        assert not await page.get_by_role("checkbox").is_visible()
        assert not await page.get_by_text("It asks for you").is_visible()
        assert await page.get_by_text("nothing was charged").is_visible()
        await page.get_by_role("link", name="Look again").click()
        await page.wait_for_url(gateway.url + "/")
    finally:
        await context.close()


async def test_with_scripts_nobody_is_told_that_there_are_none(gateway: StandIn, room: str, watched: Watched) -> None:
    await watched.page.goto(room)
    assert not await watched.page.get_by_text("cannot ask for you without scripts").is_visible()
    assert await watched.page.get_by_text("It asks for you").is_visible()


async def test_nothing_is_loaded_from_elsewhere_and_the_policy_is_in_force(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await watched.page.goto(room)
    await watched.looks()
    assert watched.origins == {room.rstrip("/"), gateway.url}
    assert watched.faults == []
    async with watched.page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        await watched.page.evaluate("document.head.append(document.createElement('style'))")
        await watched.page.evaluate("document.querySelector('style').textContent = '* { color: red }'")


@pytest.mark.parametrize("answer", [BUSY, OPEN, SOLD_OUT, NO_SENSE])
async def test_every_text_has_the_contrast_of_level_aa(
    gateway: StandIn, room: str, watched: Watched, answer: dict[str, Any]
) -> None:
    await gateway.answers(answer)
    await watched.page.goto(room)
    await watched.first_look()
    for scheme in SCHEMES:
        await watched.page.emulate_media(color_scheme=scheme)
        assert await watched.page.evaluate(LOWEST_CONTRAST) >= 4.5, scheme


async def test_the_dark_page_is_dark_and_the_light_one_light(gateway: StandIn, room: str, watched: Watched) -> None:
    await watched.page.goto(room)
    brightness = "parseInt(getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/)[0])"
    await watched.page.emulate_media(color_scheme="dark")
    assert await watched.page.evaluate(brightness) < 40
    await watched.page.emulate_media(color_scheme="light")
    assert await watched.page.evaluate(brightness) > 215


async def test_nothing_moves_for_those_who_asked_for_less_motion(gateway: StandIn, room: str, watched: Watched) -> None:
    await gateway.answers(BUSY)
    await watched.page.goto(room)
    running = "document.getAnimations().length"
    assert await watched.page.evaluate(running) > 0
    await watched.page.emulate_media(reduced_motion="reduce")
    assert await watched.page.evaluate(running) == 0
    await gateway.answers(OPEN)
    await watched.looks()
    assert await watched.page.evaluate(running) == 0


async def test_with_forced_colours_a_button_still_has_its_border(gateway: StandIn, room: str, watched: Watched) -> None:
    await watched.page.emulate_media(forced_colors="active")
    await watched.page.goto(room)
    border = "getComputedStyle(document.getElementById('back')).border"
    assert (await watched.page.evaluate(border)).startswith("1px solid")


@pytest.mark.parametrize("answer", [BUSY, OPEN, SOLD_OUT])
async def test_the_page_fits_its_window_and_its_controls_a_thumb(
    gateway: StandIn, room: str, watched: Watched, answer: dict[str, Any]
) -> None:
    await gateway.answers(answer)
    await watched.page.goto(room)
    await watched.first_look()
    for width, height in WINDOWS:
        await watched.page.set_viewport_size({"width": width, "height": height})
        assert await watched.page.evaluate("document.documentElement.scrollWidth") <= width
        for control in await watched.page.locator("a:visible, button:visible, label:visible").all():
            box = await control.bounding_box()
            assert box
            assert box["height"] >= 44
            assert box["x"] + box["width"] <= width
