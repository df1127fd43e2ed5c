"""`fluxgate goated`: a fetch by hand with what came of it, and how fetches go."""

import json
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from contract.settings import Settings
from fluxgate import goated
from fluxgate.cli import app
from fluxgate.goated import status_command, sync_command
from fluxgate.refusal import Refusal
from tests.support.desk import serving
from tests.support.goated_shop import Shop, member, open_goated_shop
from tests.support.servers import Servers
from workers.clients.goated import GoatedFault
from workers.goated import GOATED

pytestmark = pytest.mark.asyncio(loop_scope="module")

Capture = pytest.CaptureFixture[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop for the module."""
    async with open_goated_shop(servers, tmp_path_factory.mktemp("goated")) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Shop) -> AsyncIterator[Shop]:
    """A worker that serves, and Goated tells of two people."""
    await opened.clear()
    opened.teller.members = [member("ann", 100, 1000), member("ben", 50, 500)]
    async with serving(opened.desk, GOATED):
        yield opened


@pytest.mark.parametrize("name", ["sync", "status"])
async def test_every_help_shows_an_example(name: str) -> None:
    shown = CliRunner().invoke(app, ["goated", name, "--help"])
    assert shown.exit_code == 0
    assert f"fluxgate goated {name}" in shown.output.partition("Example:")[2]


async def test_a_sync_by_hand_says_what_came_of_it(shop: Shop, capsys: Capture) -> None:
    assert await sync_command(shop.desk.settings, False, as_json=False) == 0
    assert capsys.readouterr().out.startswith("2 people, 4 rows changed, 200 bytes, in 0.")
    assert await sync_command(shop.desk.settings, False, as_json=False) == 0
    assert capsys.readouterr().out.startswith("Goated still tells the same of 2 people")
    assert await sync_command(shop.desk.settings, False, as_json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["result"]["outcome"], shown["problem"]) == ("not_modified", None)


async def test_a_fault_of_goated_is_told_and_shown_again_by_the_status(shop: Shop, capsys: Capture) -> None:
    shop.teller.fault = GoatedFault("authentication", "API_AUTH_FAILED", "Goated does not let us in (401).")
    assert await sync_command(shop.desk.settings, False, as_json=False) == 1
    assert capsys.readouterr().out == "API_AUTH_FAILED: Goated does not let us in (401).\n"
    assert await status_command(shop.desk.settings, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "Nothing has been fetched from Goated yet" in shown
    assert "API_AUTH_FAILED" in shown


async def test_what_cannot_be_true_is_taken_only_when_somebody_vouches_for_it(shop: Shop, capsys: Capture) -> None:
    settings = shop.desk.settings
    assert await sync_command(settings, False, as_json=False) == 0
    shop.teller.members = [member("ann", 100, 1), member("ben", 50, 1)]
    capsys.readouterr()
    assert await sync_command(settings, False, as_json=False) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("SUSPICIOUS_DATA: Goated tells of 2 people where there were 2; of 2 who")
    assert "fluxgate goated sync --accept" in shown
    assert (await shop.board())["all_time"] == 1500
    assert await sync_command(settings, True, as_json=False) == 0
    assert (await shop.board())["all_time"] == 2


async def test_the_status_says_how_old_everything_is_and_where_the_race_stands(shop: Shop, capsys: Capture) -> None:
    await sync_command(shop.desk.settings, False, as_json=False)
    capsys.readouterr()
    assert await status_command(shop.desk.settings, as_json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["stale"], shown["people"], shown["version"]) == (False, 2, 1)
    assert (shown["race"]["status"], shown["race"]["totalWagered"]) == ("live", 150)
    assert [(sync["outcome"], sync["changedRows"]) for sync in shown["syncs"]] == [("changed", 4)]
    await shop.desk.pool.execute("UPDATE goated_board SET fetched_at = now() - interval '12 minutes'")
    assert await status_command(shop.desk.settings, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "which is too long ago." in shown
    assert "is live until" in shown


async def test_where_nobody_answers_that_is_said(
    opened: Shop, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(goated, "WAIT_S", 0.1)
    with pytest.raises(Refusal, match="The worker goated has not answered"):
        await sync_command(opened.desk.settings, False, as_json=False)


async def test_where_there_is_no_goated_that_is_said(settings: Settings) -> None:
    with pytest.raises(Refusal, match="set FLUXGATE_GOATED_URL"):
        await sync_command(msgspec.structs.replace(settings, env="production"), False, as_json=False)
