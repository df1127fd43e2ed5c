"""The systems that are measured: Flux-Gate as `fluxgate up` runs it, and what it is compared with."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.children import ROOT, await_ready, running, started
from bench.figures import FRONT
from bench.loopback import LOOPBACK
from bench.placement import Placement
from bench.ports import free_port, free_ports
from bench.processes import command_line, cpu_by_role, cpu_s, direct_children, pin_tree
from contract.settings import Settings
from fluxgate.embedded import resolve

# No token bucket and no backlog limit shall decide a run that looks for the limit of the machine.
NO_LIMIT_PER_S = 1_000_000.0
NO_BACKLOG_MAX = 10_000_000
PREFIX = "fluxgate-bench-"
PORTS = (
    "port",
    "waiting_room_port",
    "redis_port",
    "postgres_port",
    "g2a_sandbox_port",
    "amazon_sandbox_port",
    "goated_sandbox_port",
)
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

    kind: Literal["flux_gate", "baseline", "bare"]
    port: int
    settings: Settings
    # Roots of process trees by role.
    roles: Mapping[str, list[int]]
    # The supervisor, whose tree holds all roles; what is in none of them is the role "rest". 0: none.
    supervisor: int = 0
    # Where its code lies.
    root: Path = ROOT

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def is_ours(self) -> bool:
        """Whether it is Flux-Gate as it stands here, whose books this program can read."""
        return self.kind == "flux_gate" and self.root == ROOT

    def cpu(self, without: set[int] | None = None) -> dict[str, float]:
        """CPU seconds used so far, by role."""
        used = cpu_by_role(self.roles, without or set())
        if self.supervisor:
            used["rest"] = max(0.0, cpu_s(self.supervisor, without or set()) - sum(used.values()))
        return used


@contextlib.contextmanager
def flux_gate(placement: Placement, *, root: Path = ROOT, **changes: Any) -> Generator[System]:
    """Flux-Gate with servers, data and ports of its own, pinned; gone after the block, its data too.

    `changes` are settings other than the bench's own. Raises StartError when it does not come up.
    """
    with flux_gates(placement, [changes], root=root) as (system,):
        yield system


@contextlib.contextmanager
def flux_gates(
    placement: Placement, each: Sequence[Mapping[str, Any]], *, root: Path = ROOT
) -> Generator[list[System]]:
    """Several of them, which come up beside each other and go down beside each other: `each` has settings of one."""
    command = [sys.executable, "-m", "fluxgate", "up"]
    with contextlib.ExitStack() as stack:
        given: list[tuple[Settings, Path, subprocess.Popen[bytes]]] = []
        for changes in each:
            directory = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True))
            )
            settings, log = _settings(directory / "data", changes), directory / "fluxgate-up.log"
            up = stack.enter_context(started(command, settings, log, root=root, cpus=placement.usable))
            given.append((settings, log, up))
        systems: list[System] = []
        for settings, log, up in given:
            await_ready(up, settings.port, "/readyz", log)
            systems.append(_pinned(placement, settings, up.pid, root))
        yield systems
        for _, _, up in given:
            up.terminate()


def _settings(data_dir: Path, changes: Mapping[str, Any]) -> Settings:
    own: dict[str, Any] = {
        **dict(zip(PORTS, free_ports(len(PORTS)), strict=True)),
        "data_dir": data_dir,
        "log_level": "warning",
        "rate_per_s": NO_LIMIT_PER_S,
        "backlog_max": NO_BACKLOG_MAX,
    }
    return Settings(**(own | dict(changes)))


def _pinned(placement: Placement, settings: Settings, up: int, root: Path) -> System:
    roles: dict[str, list[int]] = {role: [] for role in ("gateway", "valkey", "worker", "postgres")}
    for child in direct_children(up):
        for word, role in ROLES.items():
            if word in command_line(child) + " ":
                roles[role].append(child)
    _pin(placement, up, [pid for role in FRONT for pid in roles[role]])
    return System("flux_gate", settings.port, settings, roles, up, root)


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
    with tempfile.TemporaryDirectory(prefix=PREFIX) as directory:
        command = [sys.executable, "-m", "bench.baseline_worker"]
        with started(command, settings, Path(directory, "worker.log")) as child:
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
    with tempfile.TemporaryDirectory(prefix=PREFIX) as directory:
        command = [sys.executable, "-m", "bench.serve", target, interface, str(settings.port)]
        log = Path(directory, target.replace(":", "-") + ".log")
        with running(command, settings, "/", log, cpus=placement.usable) as child:
            _pin(placement, child.pid, [child.pid])
            yield child.pid


def _pin(placement: Placement, root: int, front: list[int]) -> None:
    if placement.front:
        pin_tree(root, placement.back)
        for pid in front:
            pin_tree(pid, placement.front)
