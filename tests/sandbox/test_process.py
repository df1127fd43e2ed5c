"""The process of the sandbox: it starts, refuses, stops, and does not mind what clients do to it."""

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
from tests.support.http import read_response, request, send
from tests.support.processes import listening, running
from tests.support.sandbox import Sandbox, contract_headers

# A second is what `up` has for it, and one more is for a machine with much else to do.
STOP_WITHIN_S = 2.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_at_once_whatever_clients_wait_for(tmp_path: Path, number: int) -> None:
    settings = Settings(data_dir=tmp_path, g2a_sandbox_port=free_port())
    async with running(settings, "sandbox", "g2a") as process:
        await listening(settings.g2a_sandbox_port, process)
        sandbox = Sandbox(settings)
        await sandbox.control(faults=[{"match": "*", "do": "hang"}], completion="webhook", delay_s=60)
        hanging = asyncio.create_task(sandbox.contract("GET", "/products"))
        async with asyncio.timeout(5):
            while not (await sandbox.journal())["total"]:
                await asyncio.sleep(0.01)
        _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost:")
        process.send_signal(number)
        started = time.monotonic()
        assert await process.wait() == 0
        assert time.monotonic() - started < STOP_WITHIN_S
        with pytest.raises((OSError, EOFError)):
            await hanging
        writer.close()
    assert (tmp_path / "sandbox-g2a.log").read_text() == ""


async def test_a_taken_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(data_dir=tmp_path, g2a_sandbox_port=taken.getsockname()[1])
        assert "FLUXGATE_G2A_SANDBOX_PORT" in await refusal(settings, "sandbox", "g2a")


async def test_it_is_not_played_in_production(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, env="production", admin_key="a-long-admin-key", g2a_sandbox_port=free_port())
    assert "FLUXGATE_ENV is production" in await refusal(settings, "sandbox", "g2a")


def test_its_port_is_wanted_where_nobody_says_where_g2a_is() -> None:
    def wants(settings: Settings) -> bool:
        return "FLUXGATE_G2A_SANDBOX_PORT" in {port.variable for port in wanted_ports(settings)}

    assert wants(Settings())
    assert not wants(Settings(g2a_url="http://127.0.0.1:1"))
    assert not wants(Settings(env="production", admin_key="a-long-admin-key"))


async def test_it_listens_on_loopback_whatever_the_gateway_listens_on(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, g2a_sandbox_port=free_port(), host="0.0.0.0")
    async with running(settings, "sandbox", "g2a") as process:
        await listening(settings.g2a_sandbox_port, process)
        # All of 127/8 is this machine, and only one address of it is listened on.
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", settings.g2a_sandbox_port))


@pytest.mark.slow
async def test_two_lives_of_it_give_no_order_the_same_id(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, g2a_sandbox_port=free_port())
    orders: list[str] = []
    for _ in range(2):
        async with running(settings, "sandbox", "g2a") as process:
            await listening(settings.g2a_sandbox_port, process)
            sandbox = Sandbox(settings)
            product_id = (await sandbox.contract("GET", "/products")).json()["data"][0]["id"]
            await sandbox.control(products=[{"id": product_id, "quantity": 100}], completion="never")
            for _ in range(20):
                reply = await sandbox.contract("POST", "/orders", {"productId": product_id})
                orders.append(reply.json()["orderId"])
    assert len(set(orders)) == 40


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET /livez\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n" + b"X: " + b"y" * 20_000, 431),
        (b"POST /sandbox/control HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
async def test_nonsense_ends_its_own_connection_only(sandbox: Sandbox, raw: bytes, status: int) -> None:
    assert (await send(sandbox.port, raw)).status == status
    assert (await sandbox.ask("GET", "/livez")).json() == {"status": "ok"}


async def test_a_body_that_is_too_large_is_refused(sandbox: Sandbox) -> None:
    head = b"PUT /sandbox/control HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
    assert (await send(sandbox.port, head + b" " * 300_000)).status == 413


async def test_a_body_in_chunks_is_read(sandbox: Sandbox) -> None:
    head = request("PUT", "/sandbox/control", Transfer_Encoding="chunked")
    chunks = b"d\r\n" + b'{"latency_ms"' + b"\r\n4\r\n: 3}\r\n0\r\n\r\n"
    assert (await send(sandbox.port, head + chunks)).json()["latency_ms"] == 3


async def test_a_client_that_asks_to_go_on_is_told_to(sandbox: Sandbox) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    raw = request("PUT", "/sandbox/control", b"{}", Expect="100-continue", Content_Length="2")
    head, body = raw.replace(b"Content-Length: 2\r\n", b"", 1).split(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(body)
    assert (await read_response(reader)).status == 200
    writer.close()


async def test_clients_that_go_away_cost_nothing(sandbox: Sandbox) -> None:
    await sandbox.control(latency_ms=50)
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(request("GET", "/contract/products", b"", **contract_headers()))
        writer.transport.abort()
    assert (await sandbox.contract("GET", "/products")).status == 200
