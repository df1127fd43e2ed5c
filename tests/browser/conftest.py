"""A real Chromium, the waiting room's real server, and stand-ins for gateway and shop, each a process of its own."""

import asyncio
import json
import os
import shutil
import sys
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from bench.ports import free_port
from contract.settings import Settings
from tests.support.processes import listening, running

STAND_IN = Path(__file__).with_name("stand_in_gateway.py")
START_WITHIN_S = 20.0


@dataclass
class StandIn:
    """The other side of the wire: what it answers, what it was asked, whether it lives."""

    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def start(self) -> None:
        if self.process is None:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(STAND_IN), str(self.port), stdout=asyncio.subprocess.PIPE
            )
            assert self.process.stdout
            await asyncio.wait_for(self.process.stdout.readline(), START_WITHIN_S)

    async def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
            self.process = None

    async def answers(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        await self._call("PUT", "/stand-in/answer", {"status": status, "headers": headers or {}, "body": body})

    async def diverts_to(self, room: str) -> None:
        await self._call("PUT", "/stand-in/room", room)

    async def reset(self) -> None:
        await self.start()
        await self._call("PUT", "/stand-in/answer", None)

    async def asked(self) -> list[dict[str, Any]]:
        return json.loads(await self._call("GET", "/stand-in/asked"))

    async def _call(self, method: str, path: str, value: Any = None) -> bytes:
        data = json.dumps(value).encode() if method == "PUT" else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method=method)

        def send() -> bytes:
            with urllib.request.urlopen(request, timeout=START_WITHIN_S) as response:
                return response.read()

        return await asyncio.to_thread(send)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        reason = "no chromium on this machine: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=args)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stand_ins() -> AsyncIterator[tuple[StandIn, StandIn]]:
    gateway, shop = StandIn(), StandIn()
    yield gateway, shop
    await gateway.stop()
    await shop.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(stand_ins: tuple[StandIn, StandIn]) -> StandIn:
    await stand_ins[0].reset()
    return stand_ins[0]


@pytest_asyncio.fixture(loop_scope="session")
async def shop(stand_ins: tuple[StandIn, StandIn]) -> StandIn:
    await stand_ins[1].reset()
    return stand_ins[1]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def room(stand_ins: tuple[StandIn, StandIn], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    gateway, shop = stand_ins
    port = free_port()
    settings = Settings(
        waiting_room_port=port,
        gateway_url=gateway.url,
        # Its own origin too, as where shop and waiting room share one: then it must not send anybody to itself.
        return_origins=f"{shop.url} http://localhost:{port}",
        data_dir=tmp_path_factory.mktemp("waiting-room"),
    )
    async with running(settings, "waiting-room") as process:
        await listening(port, process)
        yield settings.waiting_room_at + "/"


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="en-GB")
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@dataclass
class Watched:
    """A page whose clock stands still unless the test runs it, and everything that went wrong in it."""

    page: Page
    faults: list[str]
    origins: set[str]

    async def run(self, ms: float) -> None:
        await self.page.clock.run_for(int(ms))

    async def luck(self, value: float) -> None:
        """What every throw of the dice will give, from 0 to just below 1."""
        await self.page.add_init_script(f"Math.random = () => {value}")

    async def polls(self) -> list[float]:
        """When the page asked, in milliseconds of its own clock."""
        return await self.page.evaluate("window.polls")

    async def looks(self, within_ms: float = 3000) -> float:
        """Run the clock until the page asks once more and has the answer; how long it had waited before it asked."""
        before = await self.polls()
        for _ in range(STEPS):
            await self.run(within_ms / STEPS)
            polls = await self.polls()
            if len(polls) > len(before):
                await self.page.get_by_text(
                    "Asked " + ("once" if len(polls) == 1 else f"{len(polls)} times")
                ).wait_for()
                return polls[-1] - before[-1] if before else 0.0
        raise AssertionError(f"the page did not ask within {within_ms} ms of its own time")

    async def first_look(self) -> None:
        """Open the page's eyes: run the clock past its first look, and wait for the answer."""
        await self.run(FIRST_LOOK_LATEST_MS)
        await self.page.get_by_text("Asked once").wait_for()

    async def show(self, shown: bool) -> None:
        """Hide the tab or show it again: headless Chromium itself always says that a page is seen."""
        await self.page.evaluate(
            "shown => { Object.defineProperty(document, 'hidden', { value: !shown, configurable: true });"
            " document.dispatchEvent(new Event('visibilitychange')); }",
            shown,
        )

    async def heading(self, text: str) -> None:
        await self.page.get_by_role("heading", name=text, exact=True).wait_for()


# The clock runs in so many steps until a look is due: an answer arrives up to one step later than it was asked for.
STEPS = 25
FIRST_LOOK_LATEST_MS = 2500

RECORD_POLLS = """
window.polls = [];
const real = window.fetch;
window.fetch = (...given) => { window.polls.push(Date.now()); return real(...given); };
"""


@pytest_asyncio.fixture(loop_scope="session")
async def watched(context: BrowserContext) -> Watched:
    page = await context.new_page()
    watched = Watched(page, [], set())
    page.on("console", lambda message: watched.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: watched.faults.append(str(error)))
    page.on("request", lambda request: watched.origins.add("/".join(request.url.split("/")[:3])))
    await page.add_init_script(RECORD_POLLS)
    await page.clock.install(time=0)
    await page.clock.pause_at(1000)
    return watched
