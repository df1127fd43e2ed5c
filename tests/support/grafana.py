"""Writes the dashboard `docs/grafana.json`, for Grafana 11 or newer, from the rows of `grafana_rows.py`.

python -m tests.support.grafana > docs/grafana.json
"""

from typing import Any

import msgspec

from tests.support.grafana_more_rows import ROWS
from tests.support.grafana_rows import Panel

SCHEMA = 39
"""The version of dashboards that Grafana 11 began with; later ones read it."""
COLUMNS = 24
WIDTH, HEIGHT = 8, 8
STAT_WIDTH, STAT_HEIGHT = 4, 4
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_VARIABLE: dict[str, Any] = {
    "name": "datasource",
    "label": "Prometheus",
    "type": "datasource",
    "query": "prometheus",
    "current": {},
    "hide": 0,
    "refresh": 1,
    "regex": "",
    "options": [],
    "multi": False,
    "includeAll": False,
}
Document = dict[str, Any]


def dashboard() -> bytes:
    """The text that `docs/grafana.json` must have."""
    document: Document = {
        "uid": "flux-gate",
        "title": "Flux-Gate",
        "description": "The sale and all that stands around it. What to do when it alarms stands in docs/runbook.md.",
        "tags": ["flux-gate"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [_VARIABLE]},
        "annotations": {"list": []},
        "links": [],
        "panels": _placed(),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _placed() -> list[Document]:
    """All panels, each row below the last, from left to right; those of another height begin anew."""
    panels: list[Document] = []
    top = 0
    for row in ROWS:
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        head: Document = {"type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        panels.append({"id": len(panels) + 1, **head})
        top, left, tall = top + 1, 0, 0
        for panel in row.panels:
            wide, high = (STAT_WIDTH, STAT_HEIGHT) if panel.kind == "stat" else (WIDTH, HEIGHT)
            if left + wide > COLUMNS or tall not in (0, high):
                top, left, tall = top + tall, 0, 0
            panels.append(_panel(panel, len(panels) + 1, {"x": left, "y": top, "w": wide, "h": high}))
            left, tall = left + wide, max(tall, high)
        top += tall
    return panels


def _panel(panel: Panel, number: int, place: dict[str, int]) -> Document:
    steps: list[Document] = [{"color": "green", "value": None}]
    if panel.worst is not None:
        steps.append({"color": "red", "value": panel.worst})
    custom: Document = {"drawStyle": "bars" if panel.kind == "bars" else "line", "fillOpacity": 10, "lineWidth": 1}
    if panel.worst is not None:
        custom["thresholdsStyle"] = {"mode": "dashed"}
    defaults: Document = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    is_stat = panel.kind == "stat"
    return {
        "id": number,
        "type": "stat" if is_stat else "timeseries",
        "title": panel.title,
        "description": panel.description,
        "gridPos": place,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults if is_stat else defaults | {"custom": custom}, "overrides": []},
        "options": _STAT if is_stat else _SERIES,
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }


_STAT = {"colorMode": "background", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"], "values": False}}
_SERIES = {
    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
    "tooltip": {"mode": "multi", "sort": "desc"},
}

if __name__ == "__main__":
    print(dashboard().decode(), end="")
