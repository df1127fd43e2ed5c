"""The whole bench, small, against a whole system."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bench.base import find_base
from bench.generator import running_generator
from bench.measure import Bench
from bench.output import write_json, write_report
from bench.placement import Placement
from bench.plan import Plan
from bench.report import Report
from bench.run import run_bench
from bench.system import System, flux_gate
from bench.targets.limit import start_base
from bench.verdict import findings

pytestmark = [pytest.mark.slow, pytest.mark.alone]

ROOT = Path(__file__).parents[2]
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
TINY = Plan(
    warm_s=0.1,
    rounds=1,
    connections=(64,),
    subjects=("bare", "ours", "sold_out", "empty_bucket", "baseline", "base"),
    closed_s=0.5,
    crowd_requests=1000,
    crowd_connections=50,
    latency_rounds=1,
    idle_s=0.2,
    open_s=0.5,
    curve=(0.5,),
    curve_s=0.3,
    bursts=1,
    burst_orders=1000,
    scale_rounds=1,
    scale_s=0.3,
    scale_connections=16,
    products=(1,),
    records=10_000,
    gateways=(2,),
    lanes=(1,),
    lane_products=8,
)


def test_a_bench_measures_all_six_targets_and_its_proof_holds(tmp_path: Path):
    base = find_base("HEAD")
    report = run_bench(TINY, Placement(), {}, Console(quiet=True), base=base)
    assert report.faults == []
    subjects = {run.subject for run in report.limit}
    # Without a repository there is nothing to compare with, and a report says so.
    assert subjects == set(TINY.subjects) - (set() if report.base else {"base"})
    assert bool(report.base) != bool(report.notes)
    assert all(run.per_s > 0 and run.wrong == 0 for run in report.limit + report.scale.runs)
    assert report.crowd is not None
    assert report.crowd.proof.stored == TINY.crowd_stock
    assert all(run.accepts.count > 0 for run in report.half + report.overload + report.curve)
    assert [drain.orders for drain in report.drains] == [TINY.burst_orders]
    assert report.scale.record_bytes > 100
    ours = next(run for run in report.limit if run.subject == "ours")
    assert {"gateway", "valkey", "worker", "postgres"} <= set(ours.cpu_us)
    assert {finding.target[0] for finding in findings(report) if finding.met is not None} == set("123456")
    write_json(report, tmp_path / "report.json")
    write_report(report, tmp_path / "report.md", tmp_path / "pictures")
    text = (tmp_path / "report.md").read_text()
    assert len(list((tmp_path / "pictures").iterdir())) == 6
    assert all(f"pictures/{path.name}" in text for path in (tmp_path / "pictures").iterdir())
    assert "The proof holds" in text


def test_a_revision_that_does_not_start_is_told_and_left_out(tmp_path: Path):
    report = Report(began="", machine={}, placement="")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "fluxgate").mkdir()
    (tmp_path / "fluxgate" / "__init__.py").touch()
    (tmp_path / "fluxgate" / "__main__.py").write_text("raise SystemExit('not yet')")
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    subprocess.run([*GIT, "commit", "-q", "-m", "nothing works"], cwd=tmp_path, check=True)
    with contextlib.ExitStack() as stack, running_generator() as generator:
        bench = Bench(TINY, Placement(), generator, report, lambda _: None)
        assert start_base(bench, stack, find_base("HEAD", tmp_path), tmp_path) is None
    assert "nothing works) does not start" in report.notes[0]
    assert "not yet" in report.notes[0]


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
