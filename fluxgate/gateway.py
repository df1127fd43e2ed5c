"""The gateway's server: Granian with every limit said out loud, and workers that die with their master."""

import asyncio
import contextlib
import os
import threading
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from redis.exceptions import RedisError

from contract.auth_keys import public_keys
from contract.parent import die_with_parent
from contract.settings import Settings
from fluxgate.lanes import agree_on_lanes
from fluxgate.ports import Port, require_free
from gateway.webhook_signatures import webhook_secrets

# Connections that wait in the kernel while a worker is busy: a sale opens with a burst. The kernel caps it further.
BACKLOG = 4096
# How long a client may take to send its request's head. A phone on a bad line needs less, a slow attack needs more.
HEAD_WITHIN_MS = 10_000
# The longest head: cookies and an idempotency key fit many times over; the library's own default is 400 kB.
HEAD_BYTES_MAX = 16_384
# After SIGTERM: what is in flight may take this long, so that all is over within 5 s.
STOP_WITHIN_S = 4
# On SIGHUP the workers are replaced one by one. Each new one has this much time to come up before the old one is told
# to end, so that nobody notices a new deployment. One that has died is replaced at once; two deaths within 5.5 s end
# the server, and whoever runs it starts it again.
HEAD_START_S = 2.0


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises Refusal when the port is taken, LanesDiffer when the sales in Redis lie in
    another number of lanes, SettingsError when it could not tell a good access token or webhook from a bad one."""
    public_keys(settings)
    webhook_secrets(settings)
    # A Redis that is away is asked again before the first order.
    with contextlib.suppress(RedisError, OSError):
        asyncio.run(agree_on_lanes(settings))
    # Granian listens with SO_REUSEPORT and would share the port with another server without a word.
    require_free([Port(settings.host, settings.port, "the gateway", "FLUXGATE_PORT")])
    server = Granian(
        target="fluxgate.gateway:make_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        workers=settings.gateway_workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_WITHIN_MS, max_buffer_size=HEAD_BYTES_MAX),
        websockets=True,
        backlog=BACKLOG,
        # This limits connections, idle ones included, and not requests; beyond it a buyer waits in the kernel's queue.
        backpressure=settings.connections_max,
        respawn_failed_workers=True,
        respawn_interval=HEAD_START_S,
        workers_kill_timeout=STOP_WITHIN_S,
        log_level=LogLevels.warning,
        log_access=False,
    )
    server.main_loop_interrupt = _SignalSafeEvent()
    server.serve()


class _SignalSafeEvent(threading.Event):
    """An event that a signal handler may set while the same thread is setting it.

    Granian's handlers set the event that its main loop waits for. With the plain lock of an ordinary one, a second
    signal that comes at the wrong moment waits for the first for ever, and the server can only be killed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cond = threading.Condition(threading.RLock())


def make_app() -> Any:
    """The application, made in each worker."""
    # A worker whose master was killed would go on to serve, beside the next one.
    die_with_parent()
    _yield_to_whom_it_wakes_later()
    from gateway.app import create_app

    return create_app()


def _yield_to_whom_it_wakes_later() -> None:
    """Let no thread that this process wakes interrupt it at once.

    An order wakes the server's thread twice. Where all of them share a core, each time is two changes of thread, and
    they come one by one; as batch work they wait until the event loop has done what it has, and come together. An order
    then costs a sixth less CPU. Where cores are free nothing changes: whoever is woken there runs at once.
    """
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
