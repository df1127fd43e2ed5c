"""The load generators of the bench, against a server that answers as it is told."""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from bench.generator import GeneratorError, running_generator
from bench.history import Order, latest, mix_orders, run_history
from bench.jobs import UNKNOWN, Job
from bench.load import run_job, schedule_s
from bench.loopback import HostRefusedError
from bench.processes import cpu_s, process_tree

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"status":"success"}'


@asynccontextmanager
async def gateway(answer: Callable[[bytes], bytes | None]) -> AsyncGenerator[str]:
    """A server that answers every request by `answer`, and cuts the connection where that is None."""

    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                reply = answer(head + await reader.readexactly(length))
                if reply is None:
                    break
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*served)


def job(url: str, **more: object) -> Job:
    given = {"kind": "closed", "product": "phone", "run": 1, "connections": 4, "warm_s": 0, "seconds": 5}
    return msgspec.convert(given | {"url": url, "count_max": 100} | more, Job)


def key_of(request: bytes) -> str:
    return request.split(b"x-idempotency-key: ")[1].split(b"\r\n")[0].decode()


async def test_the_closed_model_sends_every_order_once():
    keys: list[str] = []
    async with gateway(lambda request: keys.append(key_of(request)) or OK) as url:
        record = await asyncio.to_thread(run_job, job(url))
    assert len(keys) == len(set(keys)) == 100
    assert sorted(row.number for row in record.rows) == list(range(100))
    assert {row.status for row in record.rows} == {200}


async def test_a_cut_connection_is_an_unknown_outcome_and_the_load_goes_on():
    async with gateway(lambda request: None if key_of(request).endswith("7") else OK) as url:
        record = await asyncio.to_thread(run_job, job(url))
    unknown = [row.number for row in record.rows if row.status == UNKNOWN]
    assert sorted(unknown) == list(range(7, 100, 10))
    assert record.lost == len(unknown)
    assert len(record.rows) == 100


async def test_what_is_no_http_is_an_unknown_outcome():
    async with gateway(lambda _: b"nonsense\r\n\r\n") as url:
        record = await asyncio.to_thread(run_job, job(url, count_max=5))
    assert [row.status for row in record.rows] == [UNKNOWN] * 5


async def test_the_open_model_counts_the_wait_for_a_connection_as_latency():
    def stall(_: bytes) -> bytes:
        time.sleep(0.02)
        return OK

    async with gateway(stall) as url:
        asked = job(url, kind="open", connections=1, rate_per_s=1000.0, arrivals="uniform", seconds=1, count_max=20)
        record = await asyncio.to_thread(run_job, asked)
    rows = sorted(record.rows)
    assert [row.status for row in rows] == [200] * 20
    # Due one millisecond apart, served twenty apart: the last has waited for all before it.
    assert rows[-1].done - rows[-1].due > 18 * 0.02
    assert rows[-1].done - rows[-1].sent < rows[-1].done - rows[-1].due
    # That no connection was free is no lateness of the generator's.
    assert len(record.late) == 20
    assert max(record.late) < 18 * 0.02


def test_the_schedule_is_the_same_for_the_same_seed_and_bounded_in_count_and_time():
    asked = job("http://127.0.0.1:1", kind="open", rate_per_s=1000.0, seconds=10, count_max=1_000_000)
    moments = schedule_s(asked)
    assert moments == schedule_s(asked) != schedule_s(msgspec.structs.replace(asked, seed=2))
    assert moments == sorted(moments)
    assert moments[-1] <= 10
    assert len(moments) == pytest.approx(10_000, rel=0.1)
    assert len(schedule_s(msgspec.structs.replace(asked, count_max=10))) == 10


def test_the_idle_control_sends_nothing():
    record = run_job(job("http://127.0.0.1:1", kind="idle", rate_per_s=1000.0, seconds=0.05, count_max=20))
    assert len(record.rows) == 20
    assert all(row.done >= row.due for row in record.rows)


def test_load_to_another_host_is_never_started():
    with pytest.raises(HostRefusedError):
        run_job(job("http://example.com:80"))


async def test_one_generator_takes_one_job_after_another():
    async with gateway(lambda _: OK) as url:
        with running_generator() as generator:
            records = [await asyncio.to_thread(generator.run, job(url, run=run)) for run in (1, 2)]
    assert [sorted(row.number for row in record.rows) for record in records] == [list(range(100))] * 2
    assert all(record.cpu_s > 0 and record.priority for record in records)


def test_a_generator_that_ends_says_so(capfd: pytest.CaptureFixture[str]):
    with running_generator() as generator:
        with pytest.raises(GeneratorError, match="ended with code 1"):
            generator.run(job("http://127.0.0.1:1"))
        with pytest.raises(GeneratorError):
            generator.run(job("http://127.0.0.1:1"))
    assert "Connection refused" in capfd.readouterr().err


async def test_a_history_has_an_outcome_for_every_order():
    orders = mix_orders("phone", 500, run=3)
    async with gateway(lambda _: OK) as url:
        outcomes = await run_history(url, orders, 20)
    assert sorted(outcome.order for outcome in outcomes) == sorted(orders)
    assert {outcome.status for outcome in outcomes} == {200}


def test_a_mix_has_double_clicks_and_late_retries_and_is_the_same_again():
    orders = mix_orders("phone", 1000, run=3)
    assert orders == mix_orders("phone", 1000, run=3)
    assert any(first == second for first, second in itertools.pairwise(orders))
    assert 700 < len(set(orders)) < 900


async def test_an_unknown_outcome_is_tried_again_with_the_same_key():
    met: set[str] = set()

    def once_cut(request: bytes) -> bytes | None:
        key = key_of(request)
        if key in met:
            return OK
        met.add(key)
        return None

    orders = [Order(f"key-{number}", "phone", "b") for number in range(10)]
    async with gateway(once_cut) as url:
        outcomes = await run_history(url, orders, 3)
    assert sorted(outcome.status for outcome in outcomes) == [UNKNOWN] * 10 + [200] * 10
    assert {outcome.status for outcome in latest(outcomes).values()} == {200}


async def test_a_client_that_cuts_its_connections_asks_again():
    async with gateway(lambda _: OK) as url:
        outcomes = await run_history(url, mix_orders("phone", 200), 10, cut=0.3)
    assert any(outcome.status == UNKNOWN for outcome in outcomes)
    assert {outcome.status for outcome in latest(outcomes).values()} == {200}


async def test_a_server_that_is_away_is_an_unknown_outcome_after_bounded_tries():
    outcomes = await run_history("http://127.0.0.1:1", [Order("k", "phone", "b")], 2, tries=3)
    assert [outcome.status for outcome in outcomes] == [UNKNOWN] * 3


async def test_a_history_of_another_host_is_refused():
    with pytest.raises(HostRefusedError):
        await run_history("http://example.com:80", [Order("k", "phone", "b")], 1)


def test_the_cpu_of_a_tree_counts_what_this_process_has_used():
    before = cpu_s(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert cpu_s(os.getpid()) - before >= 0.03
    assert os.getpid() in process_tree(os.getppid())
