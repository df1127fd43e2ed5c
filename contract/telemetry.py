"""Logs: one JSON object per line, with control characters escaped and every value bounded."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

VALUE_LENGTH_MAX = 500
"""Characters of one logged value; the rest is cut, so that no client can fill the disk with one request."""


def configure_logging(service: str, level: str) -> None:
    """Make `structlog` write JSON lines to standard error, each with time, level and the name of the service."""

    def name_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            name_service,
            structlog.processors.format_exc_info,
            _bound,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get_logger() -> Any:
    """The logger of this process; `configure_logging` decides where it writes."""
    return structlog.get_logger()


def _bound(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if key == "exception" or value is None or isinstance(value, (bool, int, float)):
            continue
        text = value if isinstance(value, str) else repr(value)
        if len(text) > VALUE_LENGTH_MAX:
            event[key] = text[:VALUE_LENGTH_MAX] + "..."
    return event
