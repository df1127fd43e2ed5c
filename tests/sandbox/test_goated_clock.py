"""What Goated's sandbox is by its settings, and how its clock goes."""

from datetime import UTC, datetime
from pathlib import Path

from bench.ports import free_port
from contract.settings import Settings
from fluxgate.sandbox.goated.clock import Clock
from fluxgate.sandbox.goated.control import Control
from tests.support.processes import listening, running
from tests.support.sandbox import GoatedSandbox


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
