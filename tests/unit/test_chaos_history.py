"""The history that the fault suite keeps of a sale."""

from pathlib import Path

import msgspec
import pytest

from bench.history import Answer, Order, Outcome
from chaos.checker import Cancelling
from chaos.crowd import Crowd
from chaos.history import Event, outcome_of, write_history


def test_every_request_stands_in_it_in_order_of_time_with_what_its_client_learned(tmp_path: Path) -> None:
    crowd = Crowd(1, "phone", 1)
    order = Order("key", "phone", "ann")
    crowd.outcomes += [Outcome(order, 200, b'{"orderId":"7"}', 2.0, 2.5), Outcome(order, 0, b"", 1.0, 1.5)]
    crowd.cancellings.append(Cancelling("7", [Answer(503, b"\xff", 3.0, 3.1), Answer(200, b"{}", 4.0, 4.1)]))
    path = tmp_path / "somewhere" / "history.jsonl"
    write_history(crowd, path)
    events = msgspec.json.Decoder(Event).decode_lines(path.read_bytes())
    assert [(event.request, event.of, event.sent, event.outcome) for event in events] == [
        ("order", "key", 1.0, "unknown"),
        ("order", "key", 2.0, "ok"),
        ("cancel", "7", 3.0, "unknown"),
        ("cancel", "7", 4.0, "ok"),
    ]


@pytest.mark.parametrize(("status", "outcome"), [(200, "ok"), (409, "refused"), (302, "refused"), (0, "unknown")])
def test_an_outcome_is_known_or_not(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome
