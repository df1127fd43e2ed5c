"""`fluxgate up`: it comes up, survives the death of its children, stops at one ctrl-C, and leaves no process behind."""

import asyncio
import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from chaos.system import (
    STOP_WITHIN_S,
    System,
    lives,
    on_other_ports,
    own_settings,
    refusal,
    running_system,
    started,
    up,
)
from chaos.waiting import until
from fluxgate.data_directory import is_held
from fluxgate.up import WORKERS
from tests.support.http import request, send

pytestmark = [pytest.mark.slow, pytest.mark.fault]

# A part of the command line of each child.
CHILDREN = [
    "valkey-server",
    "postgres -D",
    *(f"fluxgate worker {name}" for name in WORKERS),
    "fluxgate reaper",
    "fluxgate gateway",
    "waiting-room",
    "sandbox g2a",
    "sandbox amazon",
    "sandbox goated",
]
# What the project promises: after the death of any process the system sells again by itself within this.
BACK_WITHIN_S = 10.0


async def open_sale(system: System, quantity: int) -> None:
    body = json.dumps({"productId": "shoe", "quantity": quantity}).encode()
    reply = await send(system.settings.port, request("POST", "/init", body, Content_Type="application/json"))
    assert reply.status == 200, reply.body


async def order(system: System, key: str) -> str:
    """Order one unit; gives the order's id, or nothing when it was not accepted."""
    body = json.dumps({"productId": "shoe", "userId": f"user-{key}"}).encode()
    raw = request("POST", "/order", body, Content_Type="application/json", x_idempotency_key=key)
    try:
        reply = await send(system.settings.port, raw)
    except (OSError, EOFError, TimeoutError):
        return ""
    return reply.json()["orderId"] if reply.status == 200 else ""


async def state_of(system: System, order_id: str) -> str:
    try:
        reply = await send(system.settings.port, request("GET", f"/status/{order_id}"))
    except (OSError, EOFError, TimeoutError):
        return ""
    return reply.json().get("state", "") if reply.status == 200 else ""


async def sells(system: System, key: str) -> None:
    """Wait until an order is accepted and has reached Postgres."""
    order_ids: list[str] = []

    async def accepted() -> bool:
        order_ids.append(await order(system, key))
        return bool(order_ids[-1])

    async def persisted() -> bool:
        return await state_of(system, order_ids[-1]) in ("persisted", "fulfilled")

    await until(accepted, BACK_WITHIN_S)
    await until(persisted, BACK_WITHIN_S)


async def begins(system: System, after_s: float) -> None:
    """Wait until a system has taken its data directory, and then for so long."""

    async def taken() -> bool:
        return is_held(system.settings.data_dir)

    await until(taken)
    # The moment itself is what is tried, so time has to pass.
    await asyncio.sleep(after_s)


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_stops_everything_in_time_and_leaves_no_process(tmp_path: Path, number: int) -> None:
    async with running_system(own_settings(tmp_path / "data")) as system:
        await open_sale(system, 5)
        await sells(system, "first")
        family = system.family()
        # The gateway has a process below it.
        assert len(family) > len(CHILDREN)

        system.process.send_signal(number)

        assert await system.ends() == 0, system.says()
        await system.leaves_nothing(family, within_s=2.0)
        assert "was killed" not in system.says()
        assert "Traceback" not in system.says()


@pytest.mark.alone
async def test_children_that_hang_are_killed_in_time(tmp_path: Path) -> None:
    async with running_system(own_settings(tmp_path / "data")) as system:
        family = system.family()
        for process in family:
            process.suspend()

        system.process.send_signal(signal.SIGINT)

        assert await system.ends() == 0, system.says()
        await system.leaves_nothing(family, within_s=2.0)
        assert "gateway did not end in time" in system.says()


@pytest.mark.alone
async def test_a_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    async with running_system(own_settings(tmp_path / "data")) as system:
        family = system.family()
        for process in family:
            process.suspend()
        system.process.send_signal(signal.SIGINT)

        async def stopping() -> bool:
            return "Stopping" in system.says()

        await until(stopping)
        system.process.send_signal(signal.SIGINT)

        await system.ends(within_s=1.0)
        await system.leaves_nothing(family, within_s=2.0)


async def test_no_process_outlives_a_supervisor_that_is_killed_and_the_next_one_starts_at_once(tmp_path: Path) -> None:
    settings = own_settings(tmp_path / "data")
    async with running_system(settings) as system:
        await open_sale(system, 5)
        await sells(system, "first")
        family = system.family()

        system.process.kill()

        async with running_system(settings) as successor:
            assert not any(lives(process) for process in family)
            await sells(successor, "second")


@pytest.mark.parametrize("after_s", [0.0, 1.0])
async def test_no_process_outlives_a_supervisor_that_is_killed_while_it_starts(tmp_path: Path, after_s: float) -> None:
    async with started(own_settings(tmp_path / "data")) as system:
        await begins(system, after_s)
        family = system.family()
        system.process.kill()
        await system.process.wait()
        await system.leaves_nothing(family)

        async with running_system(on_other_ports(system.settings)):
            pass


@pytest.mark.alone
@pytest.mark.parametrize("after_s", [0.0, 1.0])
async def test_ctrl_c_while_it_starts_leaves_no_process(tmp_path: Path, after_s: float) -> None:
    async with started(own_settings(tmp_path / "data")) as system:
        await begins(system, after_s)
        family = system.family()
        system.process.send_signal(signal.SIGINT)
        await system.ends()
        await system.leaves_nothing(family, within_s=2.0)
        assert "Traceback" not in system.says()


async def test_every_child_that_is_killed_comes_back_and_the_sale_goes_on(tmp_path: Path) -> None:
    async with running_system(own_settings(tmp_path / "data")) as system:
        await open_sale(system, 100)
        for victim in CHILDREN:
            killed = system.child(victim)
            killed.kill()
            await until(lambda killed=killed: _gone(killed))
            await sells(system, f"after-{victim.replace(' ', '-')}")
            await until(lambda victim=victim: _runs(system, victim))


async def _runs(system: System, words: str) -> bool:
    return system.child(words) is not None


async def _gone(process: psutil.Process) -> bool:
    return not lives(process)


async def test_a_gateway_worker_that_is_killed_comes_back(tmp_path: Path) -> None:
    async with running_system(own_settings(tmp_path / "data")) as system:
        await open_sale(system, 100)
        for round_ in range(2):
            (worker,) = system.child("fluxgate gateway").children()
            worker.kill()
            await until(lambda worker=worker: _gone(worker))
            await sells(system, f"round-{round_}")


@pytest.mark.alone
async def test_the_workers_of_a_gateway_die_with_it(tmp_path: Path) -> None:
    async with running_system(own_settings(tmp_path / "data")) as system:
        gateway = system.child("fluxgate gateway")
        workers = gateway.children()
        # The supervisor, which would sweep them away as well, is held still meanwhile.
        os.kill(system.process.pid, signal.SIGSTOP)
        gateway.kill()
        try:
            for worker in workers:
                await until(lambda worker=worker: _gone(worker), within_s=1.0)
        finally:
            os.kill(system.process.pid, signal.SIGCONT)


async def test_a_second_up_finds_its_data_again(tmp_path: Path) -> None:
    settings = own_settings(tmp_path / "data")
    async with running_system(settings) as system:
        await open_sale(system, 5)
        order_id = await order(system, "first")
        system.process.send_signal(signal.SIGINT)
        await system.ends()

    async with running_system(settings) as system:
        reply = await send(system.settings.port, request("GET", "/inventory/shoe"))
        assert reply.json()["available"] == 4
        await until(lambda: _persisted(system, order_id))


async def _persisted(system: System, order_id: str) -> bool:
    return await state_of(system, order_id) == "persisted"


async def test_two_on_one_directory_end_in_one_sentence_and_the_first_goes_on(tmp_path: Path) -> None:
    settings = own_settings(tmp_path / "data")
    async with running_system(settings) as system:
        sentence = await refusal(on_other_ports(settings), "up")
        assert f"already runs on {settings.data_dir} (process {system.process.pid})" in sentence
        await open_sale(system, 5)
        await sells(system, "first")


async def test_commands_by_hand_find_the_servers_and_no_password_is_shown(tmp_path: Path) -> None:
    settings = own_settings(tmp_path / "data")
    async with running_system(settings) as system:
        await open_sale(system, 5)
        await sells(system, "first")
        for command in (("reconcile", "--json"), ("doctor", "--json"), ("dead", "list", "--json"), ("schema",)):
            assert await run_by_hand(system, *command) == 0, command
        secrets = [(settings.data_dir / name / "password").read_text() for name in ("valkey", "postgres")]
        shown = [system.says(), *(" ".join(process.cmdline()) for process in system.family())]
        assert not [secret for secret in secrets for text in shown if secret in text]


async def run_by_hand(system: System, *command: str) -> int:
    async with started(system.settings, command=command, name="by-hand") as other:
        return await other.ends(within_s=20.0)


@pytest.mark.alone
async def test_it_runs_for_a_user_who_is_not_root(tmp_path: Path) -> None:
    async with started(own_settings(tmp_path / "data"), identity="namespace") as system:
        await up(system)
        assert psutil.Process(system.process.pid).is_running()
        await open_sale(system, 5)
        await sells(system, "first")
        family = system.family()
        system.process.send_signal(signal.SIGTERM)
        assert await system.ends(STOP_WITHIN_S) == 0
        await system.leaves_nothing(family, within_s=2.0)
