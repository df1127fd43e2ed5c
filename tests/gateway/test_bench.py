"""The whole bench, small, against a whole system."""

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bench.output import write_json, write_report
from bench.placement import Placement
from bench.plan import Plan
from bench.run import run_bench
from bench.system import System, flux_gate

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TINY = Plan(
    rounds=1,
    connections=(16,),
    closed_s=0.5,
    warm_s=0.1,
    bare_s=0.3,
    open_s=0.5,
    idle_s=0.2,
    crowd_requests=1000,
    crowd_connections=50,
)


def test_a_bench_measures_every_system_and_its_proof_holds(tmp_path: Path):
    report = run_bench(TINY, Placement(), {}, Console(quiet=True))
    assert report.faults == []
    assert {run.system for run in report.closed} == {"ours", "baseline", "bare"}
    assert all(run.orders_per_s > 0 and set(run.statuses) == {"200"} for run in report.closed)
    assert report.crowd is not None
    assert report.crowd.proof.stored == TINY.crowd_stock
    assert report.open is not None
    assert report.open.latency.count > 0
    ours = next(run for run in report.closed if run.system == "ours")
    assert {"gateway", "valkey", "worker", "postgres"} <= set(ours.cpu_us)
    write_json(report, tmp_path / "report.json")
    write_report(report, tmp_path / "report.md", tmp_path / "pictures")
    text = (tmp_path / "report.md").read_text()
    assert all(f"pictures/{path.name}" in text for path in (tmp_path / "pictures").iterdir())
    assert "The proof holds" in text


def test_people_at_a_sale_meet_only_right_answers():
    with flux_gate(Placement(), rate_per_s=20.0) as system:
        done = locust(system, "--users", "20", "--spawn-rate", "20", "--run-time", "6s", "--stock", "30")
    assert done.returncode == 0, done.stdout
    for name in ("order", "double-click", "lost connection", "inventory"):
        assert name in done.stdout


def test_people_are_not_sent_to_another_host():
    command = ["--host", "http://example.com", "--users", "1", "--run-time", "2s"]
    done = subprocess.run(locust_command(*command), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "only to this machine" in done.stdout


def locust(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = locust_command("--host", system.url, *arguments)
    return subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )


def locust_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", "bench/locustfile.py", "--headless", "--only-summary", *arguments]
