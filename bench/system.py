"""The systems that are measured: Flux-Gate as `fluxgate up` runs it, and what it is compared with."""

import contextlib
import sys
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from bench.children import running, started
from bench.figures import FRONT
from bench.loopback import LOOPBACK
from bench.placement import Placement
from bench.ports import free_port, free_ports
from bench.processes import command_line, cpu_by_role, cpu_s, direct_children, pin_tree
from contract.settings import Settings, child_environ
from fluxgate.embedded import resolve

# No token bucket and no backlog limit shall decide a run that looks for the limit of the machine.
NO_LIMIT_PER_S = 1_000_000.0
NO_BACKLOG_MAX = 10_000_000
# The role of a child of `fluxgate up`, by a word of its command line.
ROLES = {
    "valkey-server": "valkey",
    "/postgres ": "postgres",
    "fluxgate gateway": "gateway",
    "fluxgate worker": "worker",
}


@dataclass(frozen=True)
class System:
    """A running system: where it is, and which of its processes does what."""

    name: Literal["ours", "baseline", "bare"]
    port: int
    settings: Settings
    # Roots of process trees by role.
    roles: Mapping[str, list[int]]
    # The supervisor, whose tree holds all roles; what is in none of them is the role "rest". 0: none.
    supervisor: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def cpu(self, without: set[int] | None = None) -> dict[str, float]:
        """CPU seconds used so far, by role."""
        used = cpu_by_role(self.roles, without or set())
        if self.supervisor:
            used["rest"] = max(0.0, cpu_s(self.supervisor, without or set()) - sum(used.values()))
        return used


@contextlib.contextmanager
def flux_gate(placement: Placement, rate_per_s: float = NO_LIMIT_PER_S) -> Generator[System]:
    """Flux-Gate with servers, data and ports of its own, pinned; gone after the block, its data too.

    `rate_per_s` is the rate of its token bucket.
    """
    with tempfile.TemporaryDirectory(prefix="fluxgate-bench-", ignore_cleanup_errors=True) as directory:
        port, waiting_room_port, redis_port, postgres_port = free_ports(4)
        settings = Settings(
            port=port,
            waiting_room_port=waiting_room_port,
            redis_port=redis_port,
            postgres_port=postgres_port,
            data_dir=Path(directory, "data"),
            rate_per_s=rate_per_s,
            backlog_max=NO_BACKLOG_MAX,
            log_level="warning",
        )
        command = [sys.executable, "-m", "fluxgate", "up"]
        log = Path(directory, "fluxgate-up.log")
        with running(command, child_environ(settings), port, "/readyz", log) as up:
            roles: dict[str, list[int]] = {role: [] for role in ("gateway", "valkey", "worker", "postgres")}
            for child in direct_children(up.pid):
                for word, role in ROLES.items():
                    if word in command_line(child) + " ":
                        roles[role].append(child)
            _pin(placement, up.pid, [pid for role in FRONT for pid in roles[role]])
            yield System("ours", port, settings, roles, up.pid)


@contextlib.contextmanager
def baseline(ours: System, placement: Placement) -> Generator[System]:
    """The one-call-per-request gateway and its worker, on the servers of `ours`, in a database and table of its own."""
    given = resolve(ours.settings)
    redis_url = given.redis_at.removesuffix("/0") + "/1"
    port = free_port()
    settings = msgspec.structs.replace(given, port=port, redis_url=redis_url)
    servers = {role: ours.roles[role] for role in ("valkey", "postgres")}
    with _granian("bench.baseline:app", "asgi", settings, placement) as pid, _worker(settings, placement) as worker:
        yield System("baseline", port, settings, {"gateway": [pid], "worker": [worker], **servers})


@contextlib.contextmanager
def _worker(settings: Settings, placement: Placement) -> Generator[int]:
    with tempfile.TemporaryDirectory(prefix="fluxgate-bench-") as directory:
        command = [sys.executable, "-m", "bench.baseline_worker"]
        with started(command, child_environ(settings), Path(directory, "worker.log")) as child:
            if placement.back:
                pin_tree(child.pid, placement.back)
            yield child.pid


@contextlib.contextmanager
def bare(ours: System, placement: Placement) -> Generator[System]:
    """Granian with a constant answer."""
    port = free_port()
    settings = msgspec.structs.replace(ours.settings, port=port)
    with _granian("bench.constant:rsgi", "rsgi", settings, placement) as pid:
        yield System("bare", port, settings, {"gateway": [pid]})


@contextlib.contextmanager
def _granian(target: str, interface: str, settings: Settings, placement: Placement) -> Generator[int]:
    with tempfile.TemporaryDirectory(prefix="fluxgate-bench-") as directory:
        command = [sys.executable, "-m", "bench.serve", target, interface, str(settings.port)]
        log = Path(directory, target.replace(":", "-") + ".log")
        with running(command, child_environ(settings), settings.port, "/", log) as child:
            _pin(placement, child.pid, [child.pid])
            yield child.pid


def _pin(placement: Placement, root: int, front: list[int]) -> None:
    if placement.front:
        pin_tree(root, placement.back)
        for pid in front:
            pin_tree(pid, placement.front)
