"""The process of Amazon's sandbox: where it listens, and when it does not."""

import asyncio
import signal
import socket
import time
from pathlib import Path

import pytest

from bench.ports import free_port
from chaos.system import refusal
from contract.settings import Settings
from fluxgate.ports import wanted_ports
from tests.support.processes import listening, running
from tests.support.sandbox import AmazonSandbox

# A second is what `up` has for it, and one more is for a machine with much else to do.
STOP_WITHIN_S = 2.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_at_once_whatever_clients_wait_for(tmp_path: Path, number: int) -> None:
    settings = Settings(data_dir=tmp_path, amazon_sandbox_port=free_port())
    async with running(settings, "sandbox", "amazon") as process:
        await listening(settings.amazon_sandbox_port, process)
        amazon = AmazonSandbox(settings)
        await amazon.control(faults=[{"match": "*", "do": "hang"}])
        hanging = asyncio.create_task(amazon.login())
        async with asyncio.timeout(5):
            while not (await amazon.journal())["total"]:
                await asyncio.sleep(0.01)
        process.send_signal(number)
        started = time.monotonic()
        assert await process.wait() == 0
        assert time.monotonic() - started < STOP_WITHIN_S
        with pytest.raises((OSError, EOFError)):
            await hanging
    assert (tmp_path / "sandbox-amazon.log").read_text() == ""


async def test_a_taken_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(data_dir=tmp_path, amazon_sandbox_port=taken.getsockname()[1])
        assert "FLUXGATE_AMAZON_SANDBOX_PORT" in await refusal(settings, "sandbox", "amazon")


async def test_it_is_not_played_in_production(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, env="production", admin_key="a-long-admin-key", amazon_sandbox_port=free_port()
    )
    assert "FLUXGATE_ENV is production" in await refusal(settings, "sandbox", "amazon")


def test_its_port_is_wanted_where_nobody_says_where_amazon_is() -> None:
    def wants(settings: Settings) -> bool:
        return "FLUXGATE_AMAZON_SANDBOX_PORT" in {port.variable for port in wanted_ports(settings)}

    assert wants(Settings())
    assert not wants(Settings(amazon_url="http://127.0.0.1:1"))
    assert not wants(Settings(env="production", admin_key="a-long-admin-key"))


async def test_what_is_not_there_is_said_so(amazon: AmazonSandbox) -> None:
    for method, path, status in (("GET", "/orders/v1/orders", 404), ("POST", "/orders/v0/orders", 405)):
        reply = await amazon.ask(method, path)
        assert reply.status == status
        assert reply.json()["errors"][0]["message"] == "There is nothing at this address."
    assert (await amazon.ask("GET", "/livez")).json() == {"status": "ok"}
