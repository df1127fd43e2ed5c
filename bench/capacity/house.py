"""The servers that costs are measured on: a durable Valkey and Postgres, one gateway process, and a worker when asked.

The worker starts later than the rest, so that what an admission costs Valkey can be told from what settling costs it.
"""

import contextlib
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import redis

from bench.capacity.tap import Tap, tapped
from bench.loopback import LOOPBACK
from bench.ports import free_ports
from bench.processes import PROC
from contract.settings import Settings, child_environ
from fluxgate import embedded
from fluxgate.probes import Probe, alive, answers_http
from fluxgate.process import Child, running
from sql import apply_schema

# Neither the bucket nor the backlog shall decide anything here, and no record shall end while it is weighed.
NO_LIMIT_PER_S = 1_000_000.0
NO_BACKLOG_MAX = 10_000_000
RECORD_S = 3600
QUESTION = Path(__file__).with_name("postgres.sql")


@dataclass(frozen=True)
class House:
    """Running servers, with a connection of our own to each."""

    settings: Settings
    valkey: Any
    postgres: Any
    # Between worker and Postgres.
    tap: Tap


@dataclass(frozen=True)
class Reading:
    """What the counters of Valkey stand at: calls of scripts, CPU, bytes in and out, its file, its memory."""

    calls: int
    cpu_us: float
    received: int
    sent: int
    aof: int
    memory: int


@contextlib.asynccontextmanager
async def open_house(directory: Path) -> AsyncGenerator[House]:
    """The servers inside the block, with their data in `directory`; the gateway among them, the worker not."""
    port, redis_port, postgres_port, tap_port = free_ports(4)
    async with contextlib.AsyncExitStack() as stack:
        redis_url = await stack.enter_async_context(embedded.valkey(directory / "valkey", redis_port))
        postgres_url = await stack.enter_async_context(embedded.postgres(directory / "postgres", postgres_port))
        await apply_schema(postgres_url)
        tap = await stack.enter_async_context(tapped(postgres_port, tap_port))
        settings = Settings(
            port=port,
            data_dir=directory,
            redis_url=redis_url,
            postgres_url=_with_port(postgres_url, tap_port),
            rate_per_s=NO_LIMIT_PER_S,
            backlog_max=NO_BACKLOG_MAX,
            idempotency_ttl_s=RECORD_S,
            log_level="warning",
        )
        gateway = _child(settings, answers_http(LOOPBACK, port, "/readyz"), "gateway")
        await stack.enter_async_context(running(gateway, directory / "gateway.log"))
        valkey: Any = stack.enter_context(contextlib.closing(redis.Redis.from_url(redis_url)))
        driver: Any = asyncpg
        postgres: Any = await driver.connect(postgres_url)
        stack.push_async_callback(postgres.close)
        yield House(settings, valkey, postgres, tap)


@contextlib.asynccontextmanager
async def working(house: House) -> AsyncGenerator[None]:
    """An order worker inside the block; its Postgres is behind the tap."""
    async with running(_child(house.settings, alive, "worker", "orders"), house.settings.data_dir / "worker.log"):
        yield


def read_valkey(house: House) -> Reading:
    """The counters of Valkey now."""
    said: Any = house.valkey.info("all")
    return Reading(
        calls=said.get("cmdstat_evalsha", {}).get("calls", 0),
        cpu_us=_cpu_us(said["process_id"]),
        received=said["total_net_input_bytes"],
        sent=said["total_net_output_bytes"],
        aof=said["aof_current_size"],
        memory=said["used_memory"],
    )


async def read_postgres(house: House) -> tuple[int, int, int]:
    """Orders in Postgres, the position of its log in bytes, and the bytes of the table with its indexes."""
    row = await house.postgres.fetchrow(QUESTION.read_text(encoding="utf-8"))
    return row["orders"], row["wal"], row["size"]


def _child(settings: Settings, ready: Probe, *command: str) -> Child:
    argv = [sys.executable, "-m", "fluxgate", *command]
    return Child(name=" ".join(command), argv=argv, ready=ready, environ=child_environ(settings))


def _cpu_us(pid: int) -> float:
    """CPU of all threads of a process; the ticks of /proc/<pid>/stat are too coarse for a hundred batches."""
    threads = (PROC / str(pid) / "task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1000


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{port}"))
