"""The whole system on one machine, under one supervisor, until one ctrl-C."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncGenerator

import msgspec

from contract.bus import idle_services
from contract.settings import Settings, child_environ
from fluxgate import embedded, postgres, valkey
from fluxgate.data_directory import held
from fluxgate.display import Display
from fluxgate.lanes import agree_on_lanes
from fluxgate.ports import require_free, wanted_ports
from fluxgate.probes import Probe, alive, answers_http
from fluxgate.process import Child
from fluxgate.server import Server
from fluxgate.status import Status
from fluxgate.supervisor import Supervisor
from fluxgate.urls import place
from sql import apply_schema

# Kept for these when everything stops: for the gateway's requests in flight, and for a worker's batch in flight. With
# the 1.4 s that valkey.py and postgres.py keep, this is what the supervisor has for all of them.
GATEWAY_STOP_WITHIN_S = 1.8
WORKER_STOP_WITHIN_S = 0.8
CANCEL_AGAIN_S = 0.1
EMBEDDED = " (embedded)"
WORKERS = ("auth", "orders", "migration g2a amazon goated webhooks")
"""The keys of workers.run.SERVICES, which it would take half of the start to import; a test keeps the two equal. Those
of one process wait for others most of the time; logins and the sale have one for each, for they compute."""


async def run(settings: Settings) -> None:
    """Run the system until SIGINT, SIGTERM or SIGHUP; a second SIGINT kills it at once.

    Raises Refusal when something that the user can put right keeps it from starting.
    """
    settings = msgspec.structs.replace(settings, data_dir=settings.data_dir.absolute())
    display = Display()
    async with held(settings.data_dir) as lock:
        require_free(wanted_ports(settings))
        supervisor = Supervisor(settings.data_dir / "logs", display.say, keep_open=[lock])
        stop_asked = _stop_on_signals(supervisor)
        working = asyncio.create_task(_work(settings, supervisor, display, lock))
        try:
            await asyncio.wait({working, stop_asked, supervisor.broken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if stop_asked.done():
                display.say("Stopping; ctrl-C again kills.")
            started = time.monotonic()
            await _cancelled(working)
            await supervisor.stop()
        for outcome in (working, supervisor.broken):
            if outcome.done() and not outcome.cancelled():
                outcome.result()
        display.say(f"Stopped after {time.monotonic() - started:.1f} s. The data is in {settings.data_dir}.")


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: redis-py takes a cancellation for a fault where a server does not answer."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)


def _stop_on_signals(supervisor: Supervisor) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[None] = loop.create_future()

    def heard(number: signal.Signals) -> None:
        if not asked.done():
            asked.set_result(None)
        elif number is signal.SIGINT:
            supervisor.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, heard, number)
    return asked


async def _work(settings: Settings, supervisor: Supervisor, display: Display, lock: int) -> None:
    started = time.monotonic()
    servers = await _servers(settings, lock)
    await supervisor.start(*(server.child for server in servers))
    # The servers have left their URLs in the data directory; from here on they are as good as given ones.
    given, settings = settings, embedded.resolve(settings)
    # Before a child finds out: it would be started again and again.
    await agree_on_lanes(settings)
    await apply_schema(settings.postgres_at)
    await supervisor.start(*_workers(settings), _child(settings, "reaper"))
    await supervisor.start(_gateway(settings), _waiting_room(settings), *_sandboxes(settings))
    display.say(f"Flux-Gate is up after {time.monotonic() - started:.1f} s; ctrl-C stops it.")
    display.show_places(_places(given, settings))
    for name in idle_services(settings):
        display.say(f"The worker {name} does not run: no setting says where {name.upper()} is. Its commands wait.")
    async with _status(settings) as status:
        await display.follow(status.line, supervisor.rotate_logs)


async def _servers(settings: Settings, lock: int) -> list[Server]:
    servers: list[Server] = []
    if settings.redis_url:
        await valkey.require_answer(settings.redis_url)
    else:
        servers.append(valkey.prepare(settings.data_dir / "valkey", settings.redis_port))
    if not settings.postgres_url:
        directory = settings.data_dir / "postgres"
        servers.append(await postgres.prepare(directory, settings.postgres_port, keep_open=[lock]))
    return servers


def _workers(settings: Settings) -> list[Child]:
    idle = idle_services(settings)
    return [_child(settings, "worker", *(name for name in names.split() if name not in idle)) for names in WORKERS]


def _gateway(settings: Settings) -> Child:
    ready = answers_http(settings.host, settings.port, "/livez")
    return _child(settings, "gateway", ready=ready, stop_within_s=GATEWAY_STOP_WITHIN_S)


def _waiting_room(settings: Settings) -> Child:
    return _child(settings, "waiting-room", ready=answers_http(settings.host, settings.waiting_room_port, "/livez"))


def _sandboxes(settings: Settings) -> list[Child]:
    """What plays the parties that nobody has named."""
    return [
        _child(settings, "sandbox", party.lower(), ready=answers_http("127.0.0.1", port, "/livez"))
        for party, port in _sandboxed(settings)
    ]


def _sandboxed(settings: Settings) -> list[tuple[str, int]]:
    parties = (
        ("G2A", settings.g2a_sandbox_port, settings.is_g2a_sandboxed),
        ("Amazon", settings.amazon_sandbox_port, settings.is_amazon_sandboxed),
        ("Goated", settings.goated_sandbox_port, settings.is_goated_sandboxed),
    )
    return [(party, port) for party, port, is_played in parties if is_played]


def _child(
    settings: Settings, *command: str, ready: Probe = alive, stop_within_s: float = WORKER_STOP_WITHIN_S
) -> Child:
    return Child(
        name=" ".join(command),
        argv=[sys.executable, "-m", "fluxgate", *command],
        # What a child writes is in its log at once, and not only when its buffer is full.
        environ=child_environ(settings) | {"PYTHONUNBUFFERED": "1"},
        ready=ready,
        stop_within_s=stop_within_s,
    )


def _places(given: Settings, settings: Settings) -> list[tuple[str, str]]:
    """What is where, without passwords."""
    sandboxes = [(f"{party} sandbox", f"http://127.0.0.1:{port}") for party, port in _sandboxed(settings)]
    return [
        ("gateway", f"http://{settings.host}:{settings.port}"),
        ("waiting room", f"http://{settings.host}:{settings.waiting_room_port}"),
        *sandboxes,
        ("Redis" if given.redis_url else "Valkey", place(settings.redis_at) + ("" if given.redis_url else EMBEDDED)),
        ("Postgres", place(settings.postgres_at) + ("" if given.postgres_url else EMBEDDED)),
        ("data and logs", str(settings.data_dir)),
    ]


@contextlib.asynccontextmanager
async def _status(settings: Settings) -> AsyncGenerator[Status]:
    status = Status(settings)
    try:
        yield status
    finally:
        await status.close()
