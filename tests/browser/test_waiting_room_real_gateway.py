"""The waiting room and the real gateway together, in real time: diverted, asked for, and back."""

import msgspec
import pytest
from playwright.async_api import BrowserContext

from bench.ports import free_port
from contract.settings import Settings
from tests.support.http import get, init
from tests.support.processes import listening, running
from tests.support.servers import Servers

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

RATE_PER_S = 0.5
PATIENCE_MS = 30_000


async def test_a_buyer_whom_the_real_gateway_diverts_is_sent_back_when_its_bucket_has_refilled(
    servers: Servers, context: BrowserContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = Settings(
        port=free_port(),
        waiting_room_port=free_port(),
        redis_url=servers.redis_url,
        postgres_url=servers.postgres_url,
        data_dir=tmp_path_factory.mktemp("real"),
        rate_per_s=RATE_PER_S,
        burst=1,
    )
    room = msgspec.structs.replace(settings, return_origins=settings.gateway_at)
    async with running(settings, "gateway") as gateway, running(room, "waiting-room") as waiting_room:
        await listening(settings.port, gateway)
        await listening(settings.waiting_room_port, waiting_room)
        await init(settings.port, "ps5", 10)
        while (await get(settings.port, "/inventory/ps5", Accept="text/html")).status == 200:
            pass
        page = await context.new_page()
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        await page.goto(settings.gateway_at + "/inventory/ps5")
        assert page.url.rstrip("/") == settings.waiting_room_at
        await page.get_by_role("heading", name="There is room").wait_for(timeout=PATIENCE_MS)
        assert faults == []
        await page.wait_for_url(settings.gateway_at + "/", timeout=PATIENCE_MS)
