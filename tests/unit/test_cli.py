"""The command line: every command explains itself with an example, and mistakes end in a sentence."""

import json
import re
import runpy
import sys

import pytest
from typer.testing import CliRunner

from contract.bus import idle_services
from contract.settings import Settings
from fluxgate.cli import app
from fluxgate.explain import explain
from fluxgate.status import format_status
from fluxgate.up import WORKERS
from lua import Figures, Queue
from workers.run import SERVICES, load_service

COMMANDS = ["up", "gateway", "worker", "reaper", "waiting-room", "schema", "reconcile", "doctor", "version"]
DEAD_COMMANDS = ["list", "show", "replay", "drop"]


@pytest.mark.parametrize("command", [[name] for name in COMMANDS] + [["dead", name] for name in DEAD_COMMANDS])
def test_every_help_shows_an_example(command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert re.search(rf"Example: .*fluxgate {' '.join(command)}", shown.output), shown.output


def test_an_unknown_worker_is_refused_with_the_known_ones() -> None:
    shown = CliRunner().invoke(app, ["worker", "nobody"])
    assert shown.exit_code == 2
    assert "there is amazon, auth, g2a" in shown.output


@pytest.mark.parametrize("arguments", [[], ["1-1", "--all"]])
def test_replay_asks_which_letters(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["dead", "replay", *arguments]).exit_code == 2


def test_doctor_speaks_json_and_finds_nothing_wrong_before_anything_runs(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUXGATE_DATA_DIR", str(tmp_path))
    findings = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).output)
    assert {"what": "Redis", "state": "off", "detail": "not running; `fluxgate up` starts it"} in findings
    assert [finding["state"] for finding in findings if finding["what"] in ("Python", "Valkey's program")] == [
        "ok",
        "ok",
    ]


def test_an_old_python_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    with pytest.raises(SystemExit, match=r"^Flux-Gate needs Python 3.11 or newer, and this is 3.9.$"):
        runpy.run_module("fluxgate", run_name="__main__")


def test_a_missing_package_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "fluxgate.cli")
    with pytest.raises(SystemExit, match=r"^The package typer is not installed in .*: run `make up`"):
        runpy.run_module("fluxgate", run_name="__main__")


def test_a_bug_has_no_sentence() -> None:
    assert explain(KeyError("stock"), Settings()) is None


def figures(**totals: int) -> Figures:
    return Figures(*(totals.get(field, 0) for field in Figures._fields[:-1]), sales=[])


def test_the_status_line_turns_totals_into_rates() -> None:
    before, now = figures(accepted=10, diverted=100), figures(accepted=20, diverted=1100, backlog=1234, persisted=19)
    now = now._replace(sales=[("shoe", 80, 100)])
    assert format_status(now, before, 0.5) == (
        "stock shoe 80 of 100 · accepted 20/s · diverted 2,000/s · backlog 1,234 · persisted 19"
    )


def test_the_status_line_speaks_of_commands_when_there_are_some() -> None:
    idle = format_status(figures(), figures(), 0.5, [Queue("auth", 0, 0.0, 0)])
    assert "commands" not in idle
    queues = [Queue("auth", 2, 1.0, 1), Queue("orders", 3, 1.0, 0)]
    assert format_status(figures(), figures(), 0.5, queues).endswith(" · commands 5 · dead letters 1")


def test_the_status_line_survives_a_redis_that_began_anew() -> None:
    assert "accepted 0/s" in format_status(figures(), figures(accepted=10), 0.5)


def test_many_sales_are_summed_up() -> None:
    many = figures()._replace(sales=[(f"shoe-{i}", 5, 10) for i in range(3)])
    assert format_status(many, many, 0.5).startswith("stock 15 of 30 in 3 sales")


def test_up_starts_every_worker_that_there_is() -> None:
    assert sorted(" ".join(WORKERS).split()) == sorted(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_every_worker_is_the_service_of_its_name(name: str) -> None:
    assert load_service(name).name == name


def test_workers_that_have_nobody_to_speak_to_are_idle_and_the_others_are_not() -> None:
    assert idle_services(Settings()) == ()
    assert idle_services(Settings(env="production")) == ("g2a", "amazon", "goated")
    assert idle_services(Settings(env="production", g2a_url="https://g2a.example")) == ("amazon", "goated")
    assert idle_services(Settings(env="production", amazon_url="https://amazon.example")) == ("g2a", "goated")
