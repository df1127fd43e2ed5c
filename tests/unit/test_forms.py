"""The form of a refusal at its path."""

import msgspec
import pytest

from contract.bus import Problem
from gateway.envelope import failure, success
from gateway.forms import formed
from gateway.replying import NO_STORE, refusal

OF_ITS_OWN, SHARED, OF_THE_SALE = "/api/admin/g2a/sync", "/api/games", "/order"


def test_what_was_refused_for_every_route_has_the_form_of_its_path() -> None:
    plain = refusal(404, "There is no such path.", NO_STORE)
    error = {
        "code": "NOT_FOUND",
        "message": "There is no such path.",
        "details": {"retryable": False, "suggestedAction": "correct_request"},
    }
    assert msgspec.json.decode(formed(OF_ITS_OWN, "r-1", plain).body) == {"error": error}
    shared = msgspec.json.decode(formed(SHARED, "r-1", plain).body)
    assert (shared["status"], shared["error"], shared["metadata"]["requestId"]) == ("error", error, "r-1")
    assert formed(OF_THE_SALE, "r-1", plain) is plain


@pytest.mark.parametrize("status", [409, 429, 503])
def test_what_a_route_has_refused_keeps_its_status_and_its_headers(status: int) -> None:
    given = failure("r-1", status, Problem("G2A_RATE_LIMIT", "Later.", True, "retry_later"))
    answer = formed(OF_ITS_OWN, "r-1", given)
    assert (answer.status, answer.headers) == (given.status, given.headers)
    assert msgspec.json.decode(answer.body) == {"error": msgspec.json.decode(given.body)["error"]}
    assert formed(SHARED, "r-1", given) is given


def test_a_success_has_the_form_that_its_route_gives_it() -> None:
    answer = success({"any": 1})
    assert formed(OF_ITS_OWN, "r-1", answer) is answer
