"""The process of Goated's sandbox: where it listens, when it does not, and how its clock goes."""

import asyncio
import signal
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.ports import free_port
from chaos.system import refusal
from contract.settings import Settings
from fluxgate.ports import wanted_ports
from fluxgate.sandbox.goated.clock import Clock
from fluxgate.sandbox.goated.control import Control
from tests.support.processes import listening, running
from tests.support.sandbox import GoatedSandbox

# A second is what `up` has for it, and one more is for a machine with much else to do.
STOP_WITHIN_S = 2.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_at_once_whatever_clients_wait_for(tmp_path: Path, number: int) -> None:
    settings = Settings(data_dir=tmp_path, goated_sandbox_port=free_port())
    async with running(settings, "sandbox", "goated") as process:
        await listening(settings.goated_sandbox_port, process)
        goated = GoatedSandbox(settings)
        await goated.control(faults=[{"match": "*", "do": "hang"}])
        hanging = asyncio.create_task(goated.fetch())
        async with asyncio.timeout(5):
            while not (await goated.journal())["total"]:
                await asyncio.sleep(0.01)
        process.send_signal(number)
        started = time.monotonic()
        assert await process.wait() == 0
        assert time.monotonic() - started < STOP_WITHIN_S
        with pytest.raises((OSError, EOFError)):
            await hanging
    assert (tmp_path / "sandbox-goated.log").read_text() == ""


async def test_a_taken_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(data_dir=tmp_path, goated_sandbox_port=taken.getsockname()[1])
        assert "FLUXGATE_GOATED_SANDBOX_PORT" in await refusal(settings, "sandbox", "goated")


async def test_it_is_not_played_in_production(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, env="production", admin_key="a-long-admin-key", goated_sandbox_port=free_port()
    )
    assert "FLUXGATE_ENV is production" in await refusal(settings, "sandbox", "goated")


def test_its_port_is_wanted_where_nobody_says_where_goated_is() -> None:
    def wants(settings: Settings) -> bool:
        return "FLUXGATE_GOATED_SANDBOX_PORT" in {port.variable for port in wanted_ports(settings)}

    assert wants(Settings())
    assert not wants(Settings(goated_url="http://127.0.0.1:1"))
    assert not wants(Settings(env="production", admin_key="a-long-admin-key"))


async def test_the_settings_say_how_many_people_there_are_and_who_is_let_in(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        goated_sandbox_port=free_port(),
        goated_sandbox_users=7,
        goated_code="A/B",
        goated_token="another",
    )
    async with running(settings, "sandbox", "goated") as process:
        await listening(settings.goated_sandbox_port, process)
        goated = GoatedSandbox(settings)
        path = "/user/affiliate/referral-leaderboard/A%2FB"
        assert len((await goated.ask("GET", path, Authorization="Bearer another")).json()["data"]) == 7
        assert (await goated.ask("GET", path, Authorization="Bearer sandbox-token")).status == 401
        assert (await goated.ask("GET", "/livez")).json() == {"status": "ok"}


def test_its_clock_goes_in_steps_stands_and_is_moved() -> None:
    real = 1_800_000_000.0
    control = Control(tick_s=60)
    clock = Clock(control, lambda: real)
    begun = clock.at()
    real += 59.9
    assert clock.at() == begun
    real += 0.2
    assert clock.at() == begun + 60
    clock.move(begun - 1_000)
    assert (clock.at(), clock.before) == (begun - 1_000, begun + 60)
    clock.keep()
    control.tick_s = 0
    real += 1_000
    assert (clock.at(), clock.before) == (begun - 1_000, begun + 60)


def test_a_week_begins_on_monday_and_a_month_on_its_first_in_the_zone_of_the_control() -> None:
    control = Control(zone_offset_h=-8)
    moment = Clock(control).moment(int(datetime(2026, 3, 1, 7, 59, tzinfo=UTC).timestamp()))
    told = [datetime.fromtimestamp(at, UTC).isoformat() for at in moment[1:]]
    assert told == ["2026-02-28T08:00:00+00:00", "2026-02-23T08:00:00+00:00", "2026-02-01T08:00:00+00:00"]
