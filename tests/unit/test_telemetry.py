"""Logs: one line of JSON for each event, whatever a client has sent."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from contract.telemetry import VALUE_LENGTH_MAX, configure_logging, get_logger

Say = Callable[..., dict[str, Any]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What goes to standard error once logging is configured."""
    before = structlog.get_config()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging("gateway", "info")
    yield stream
    structlog.configure(**before)


@pytest.fixture
def say(written: io.StringIO) -> Say:
    """Log one event and read the line back, which must be the only one."""

    def log(event: str, level: str = "info", **values: Any) -> dict[str, Any]:
        written.seek(0)
        written.truncate()
        getattr(get_logger(), level)(event, **values)
        text = written.getvalue()
        assert text.count("\n") == 1
        assert text.endswith("\n")
        return json.loads(text)

    return log


def test_a_line_is_json_with_time_level_service_and_values(say: Say) -> None:
    line = say("order accepted", "warning", order="abc", count=3, missing=None)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "order accepted",
        "level": "warning",
        "service": "gateway",
        "order": "abc",
        "count": 3,
        "missing": None,
    }


def test_control_characters_are_escaped_so_that_no_client_forges_a_line(say: Say, written: io.StringIO) -> None:
    text = 'a"\r\n{"event": "forged"}\x00\x1b[31m\x9b31m\u2028'
    assert say("x", path=text)["path"] == text
    raw = written.getvalue()
    assert not [c for c in raw[:-1] if ord(c) < 32 or 127 <= ord(c) < 160 or c == "\u2028"]


def test_long_text_is_cut(say: Say) -> None:
    line = say("e" * 10_000, path="x" * 10_000)
    assert line["path"] == "x" * VALUE_LENGTH_MAX + "..."
    assert line["event"] == "e" * VALUE_LENGTH_MAX + "..."
    assert say("x", path="x" * VALUE_LENGTH_MAX)["path"] == "x" * VALUE_LENGTH_MAX


@pytest.mark.parametrize("value", [["x"] * 10_000, {"x" * 10_000: 1}, b"\x00" * 10_000, ("x" * 10_000,)])
def test_a_long_value_of_any_other_kind_is_cut_too(say: Say, value: Any) -> None:
    assert len(str(say("x", value=value)["value"])) <= VALUE_LENGTH_MAX + 3


def test_a_short_list_stays_a_list(say: Say) -> None:
    assert say("x", orders=["a", "b"])["orders"] == ["a", "b"]


def test_an_exception_comes_with_its_traceback_in_the_same_line(say: Say) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        line = say("failed", "exception")
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]
    assert "ValueError: first\nsecond" in line["exception"]


def test_lines_below_the_level_are_not_written(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest puts its own standard error back between the fixtures and the test.
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging("gateway", "warning")
    get_logger().info("quiet")
    get_logger().warning("loud")
    (line,) = written.getvalue().splitlines()
    assert json.loads(line)["event"] == "loud"
