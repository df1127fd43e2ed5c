"""The dashboard and the alerts: all that they ask for is there, by the names and labels that /metrics really has."""

import re
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

import lua
from bench.children import ROOT
from chaos.waiting import until
from contract.bus import SERVICES
from contract.settings import Settings
from contract.transport import open_redis
from gateway.app import ROUTES
from tests.support.grafana import dashboard
from tests.support.grafana_more_rows import ROWS
from tests.support.grafana_rows import Panel
from tests.support.http import get, init, order
from tests.support.processes import running
from workers.auth import AUTH

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PANELS = [panel for row in ROWS for panel in row.panels]
ALERTS = re.findall(r"expr: (.*)", (ROOT / "docs" / "alerts.yml").read_text())
EXPRESSIONS = [expression for panel in PANELS for expression, _ in panel.queries] + ALERTS
UNITS = {"short", "s", "reqps", "ops", "percentunit", "bytes"}
VALUES = {
    "route": {path for _, path, _ in ROUTES},
    "worker": set(SERVICES),
    "kind": set(AUTH.handlers),
    "found": {"fresh", "old", "nothing"},
    "upstream": set(lua.UPSTREAMS),
}
"""What may stand behind these labels. A status and an outcome are whatever was answered."""
Exported = dict[str, set[str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exported(shared_gateway: Settings) -> AsyncIterator[Exported]:
    """The labels of each metric of a system that has sold, asked, and been proven."""
    quick = msgspec.structs.replace(shared_gateway, reaper_every_s=0.5)
    redis = open_redis(shared_gateway)
    port = shared_gateway.port
    await lua.count_handled(redis, "auth", "login", "401", 0.25)
    await lua.count_upstream_call(redis, "goated", "leaderboard", "200", 0.25)
    await redis.aclose()
    assert (await init(port, "seen", 1)).status == 200
    assert (await order(port, "key-of-a-dashboard", "seen")).status == 200

    async def labels() -> Exported:
        families = text_string_to_metric_families((await get(port, "/metrics")).body.decode())
        found: Exported = {}
        for sample in (sample for family in families for sample in family.samples):
            found.setdefault(sample.name, set()).update(sample.labels)
        return found

    async def proven() -> bool:
        return {"fluxgate_reconcile_lost_units", "fluxgate_deferred_commands"} <= (await labels()).keys()

    async with running(shared_gateway, "worker", "orders"), running(quick, "reaper"):
        await until(proven, within_s=30)
    yield await labels()


def faults(expression: str, exported: Exported) -> list[str]:
    """What an expression asks for that is not there."""
    found: list[str] = []
    grouped = {label.strip() for by in re.findall(r"\bby \(([^)]*)\)", expression) for label in by.split(",")}
    metrics = re.findall(r"(fluxgate_\w+)(?:\{([^}]*)\})?", expression)
    for name, matchers in metrics:
        if name not in exported:
            found.append(f"there is no metric {name}")
            continue
        matched = re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', matchers)
        for label in (grouped | {label for label, _ in matched}) - exported[name]:
            found.append(f"{name} has no label {label}")
        for label, values in matched:
            found += [
                f"no {label} is {value}" for value in set(values.split("|")) - VALUES.get(label, {*values.split("|")})
            ]
    return found if metrics else ["it asks for no metric of ours"]


async def test_all_that_panels_and_alerts_ask_for_is_told(exported: Exported) -> None:
    assert len(EXPRESSIONS) > len(PANELS)
    assert {expression: found for expression in EXPRESSIONS if (found := faults(expression, exported))} == {}


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("rate(fluxgate_orders_total[1m])", "no metric fluxgate_orders_total"),
        ("sum by (lane) (fluxgate_outbox_backlog)", "no label lane"),
        ('fluxgate_commands_waiting{queue="auth"}', "no label queue"),
        ('fluxgate_commands_waiting{worker=~"auth|nobody"}', "no worker is nobody"),
        ("rate(node_cpu_seconds_total[1m])", "no metric of ours"),
    ],
)
async def test_what_is_not_told_would_be_found(exported: Exported, expression: str, fault: str) -> None:
    (found,) = faults(expression, exported)
    assert fault in found


async def test_what_this_system_tells_is_shown_somewhere(exported: Exported) -> None:
    asked = "\n".join(EXPRESSIONS)
    # A histogram is asked for by its buckets; the parts of the proof stand in `fluxgate reconcile`.
    parts = re.compile(r"_(sum|count)$|^fluxgate_reconcile_(initial|left|held|sold|returned)$")
    assert {name for name in exported if not parts.search(name) and name not in asked} == set()


async def test_the_dashboard_is_what_its_rows_say_and_names_no_machine() -> None:
    text = (ROOT / "docs" / "grafana.json").read_bytes()
    assert text == dashboard(), "renew it: python -m tests.support.grafana > docs/grafana.json"
    assert not re.search(rb'localhost|127\.0\.0\.1|"/|file:', text.replace(b'\\"/', b""))
    panels = msgspec.json.decode(text)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == len(PANELS) + len(ROWS)


@pytest.mark.parametrize("panel", PANELS, ids=[panel.title for panel in PANELS])
async def test_a_panel_says_what_it_shows(panel: Panel) -> None:
    assert panel.unit in UNITS
    assert panel.description.endswith(".")
    for expression, legend in panel.queries:
        grouped = set(re.findall(r"\bby \(([^)]*)\)", expression))
        for label in re.findall(r"\{\{(\w+)\}\}", legend):
            assert any(label in by.split(", ") for by in grouped), f"{legend} of {expression}"


async def test_panels_cover_no_other_and_stay_inside() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in msgspec.json.decode(dashboard())["panels"]:
        place = panel["gridPos"]
        cells = {(x + place["x"], y + place["y"]) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


async def test_the_page_says_what_each_row_answers() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    assert re.findall(r"^\| (.+) \| (.+\?) \|$", page, re.MULTILINE) == [(row.title, row.question) for row in ROWS]
