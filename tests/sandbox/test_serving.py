"""What clients do to a sandbox on its socket, and what it does not mind; shown with that of G2A."""

import asyncio
from pathlib import Path

import pytest

from bench.ports import free_port
from contract.settings import Settings
from tests.support.http import read_response, request, send
from tests.support.processes import listening, running
from tests.support.sandbox import Sandbox, contract_headers


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
