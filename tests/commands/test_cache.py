"""`fluxgate cache`: what is cached is told without its contents, and a pattern drops what it names and nothing else."""

import json
import re

import pytest
from typer.testing import CliRunner

import lua
from contract.settings import Settings
from fluxgate.cache import drop_command, list_command
from fluxgate.cli import app
from lua.keys import cached_key
from tests.support.cache import fill, let_pass


@pytest.fixture
async def filled(settings: Settings, redis: lua.Client) -> Settings:
    """Settings of a Redis that has three answers, and one that is being filled."""
    for name in ("game:halo", "game:doom", "user:7:cart"):
        await fill(redis, name, b'{"secret": "of somebody"}', kept_s=3600)
    await let_pass(redis, "game:halo", 65)
    await lua.lease_cached(redis, "home:new", "mine", lease_s=60, fresh_s=1)
    return settings


@pytest.mark.parametrize("command", ["list", "drop"])
def test_every_help_shows_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, ["cache", command, "--help"])
    assert shown.exit_code == 0
    assert re.search(rf"Example: .*fluxgate cache {command} '", shown.output), shown.output


async def test_the_list_tells_names_sizes_and_ages_and_no_contents(
    filled: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await list_command(filled, "*", as_json=True) == 0
    shown = capsys.readouterr().out
    assert "secret" not in shown
    listed = json.loads(shown)
    assert [found["name"] for found in listed] == ["game:doom", "game:halo", "home:new", "user:7:cart"]
    assert [found["bytes"] for found in listed] == [25, 25, 0, 25]
    assert [found["filling"] for found in listed] == [False, False, True, False]
    assert 65_000 <= listed[1]["age_ms"] < 70_000
    assert listed[2]["age_ms"] is None

    assert await list_command(filled, "game:*", as_json=False) == 0
    shown = capsys.readouterr().out
    assert re.search(r"game:halo\W+25\W+6[5-9] s\W+35\d\d s\W", shown), shown
    assert "home:new" not in shown
    assert await list_command(filled, "home:*", as_json=False) == 0
    assert re.search(r"home:new.*yes", capsys.readouterr().out)


async def test_a_list_of_nothing_says_so(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert await list_command(settings, "game:[x]*", as_json=False) == 0
    assert capsys.readouterr().out == "No cached answer matches game:[x]*.\n"
    assert await list_command(settings, "*", as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == []


async def test_a_pattern_drops_what_it_names(
    filled: Settings, redis: lua.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await drop_command(filled, "game:*", as_json=False) == 0
    assert capsys.readouterr().out == "Dropped 2 cached answers.\n"
    assert await drop_command(filled, "user:7:cart", as_json=False) == 0
    assert capsys.readouterr().out == "Dropped 1 cached answer.\n"
    assert [found.name for found in await lua.list_cached(redis)] == ["home:new"]
    assert await drop_command(filled, "*", as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"dropped": 1, "faults": []}


async def test_what_could_not_be_dropped_is_told_and_the_command_fails(
    filled: Settings, redis: lua.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await drop_command(filled, "gmae:*", as_json=False) == 1
    assert capsys.readouterr() == ("", "No cached answer can match 'gmae:*'.\n")
    await redis.set(cached_key("game"), "damage")
    assert await drop_command(filled, "game:*", as_json=True) == 1
    assert "index of game was damaged" in json.loads(capsys.readouterr().out)["faults"][0]
