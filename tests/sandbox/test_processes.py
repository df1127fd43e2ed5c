"""The processes of the sandboxes: they start, refuse, and stop, whoever they play."""

import asyncio
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from bench.ports import free_port
from chaos.system import refusal
from contract.settings import Settings
from fluxgate.ports import wanted_ports
from tests.support.processes import listening, running
from tests.support.sandbox import AmazonSandbox, GoatedSandbox, Sandbox

# A second is what `up` has for it, and one more is for a machine with much else to do.
STOP_WITHIN_S = 2.0


class Played(NamedTuple):
    """A party that is played: its name, and what a client of it asks."""

    name: str
    opened: Callable[[Settings], Any]
    ask: Callable[[Any], Awaitable[Any]]

    def settings(self, directory: Path, port: int, **more: Any) -> Settings:
        """Settings with its port."""
        return msgspec.structs.replace(Settings(data_dir=directory), **{f"{self.name}_sandbox_port": port}, **more)

    @property
    def variable(self) -> str:
        """The setting of its port."""
        return f"FLUXGATE_{self.name.upper()}_SANDBOX_PORT"


PLAYED = [
    Played("amazon", AmazonSandbox, lambda amazon: amazon.login()),
    Played("g2a", Sandbox, lambda g2a: g2a.contract("GET", "/products")),
    Played("goated", GoatedSandbox, lambda goated: goated.fetch()),
]
each = pytest.mark.parametrize("played", PLAYED, ids=[played.name for played in PLAYED])


@each
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_at_once_whatever_clients_wait_for(tmp_path: Path, played: Played, number: int) -> None:
    port = free_port()
    settings = played.settings(tmp_path, port)
    async with running(settings, "sandbox", played.name) as process:
        await listening(port, process)
        sandbox = played.opened(settings)
        await sandbox.control(faults=[{"match": "*", "do": "hang"}])
        hanging = asyncio.ensure_future(played.ask(sandbox))
        async with asyncio.timeout(5):
            while not (await sandbox.journal())["total"]:
                await asyncio.sleep(0.01)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost:")
        process.send_signal(number)
        started = time.monotonic()
        assert await process.wait() == 0
        assert time.monotonic() - started < STOP_WITHIN_S
        with pytest.raises((OSError, EOFError)):
            await hanging
        writer.close()
    assert (tmp_path / f"sandbox-{played.name}.log").read_text() == ""


@each
async def test_a_taken_port_is_refused_in_one_sentence(tmp_path: Path, played: Played) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = played.settings(tmp_path, taken.getsockname()[1])
        assert played.variable in await refusal(settings, "sandbox", played.name)


@each
async def test_nobody_is_played_in_production(tmp_path: Path, played: Played) -> None:
    settings = played.settings(tmp_path, free_port(), env="production", admin_key="a-long-admin-key")
    assert "FLUXGATE_ENV is production" in await refusal(settings, "sandbox", played.name)


@each
def test_its_port_is_wanted_where_nobody_says_where_the_party_is(played: Played) -> None:
    def wants(settings: Settings) -> bool:
        return played.variable in {port.variable for port in wanted_ports(settings)}

    assert wants(Settings())
    assert not wants(msgspec.structs.replace(Settings(), **{f"{played.name}_url": "http://127.0.0.1:1"}))
    assert not wants(Settings(env="production", admin_key="a-long-admin-key"))


@each
async def test_it_listens_on_loopback_whatever_the_gateway_listens_on(tmp_path: Path, played: Played) -> None:
    port = free_port()
    async with running(played.settings(tmp_path, port, host="0.0.0.0"), "sandbox", played.name) as process:
        await listening(port, process)
        # All of 127/8 is this machine, and only one address of it is listened on.
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", port))
