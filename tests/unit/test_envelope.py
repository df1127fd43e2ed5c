"""The envelopes of /api: what a success, a list and an error look like, and that nothing is said twice."""

import re
from decimal import Decimal

import msgspec
import pytest

from contract.bus import BusReply, Problem
from gateway.envelope import enveloped, failure, refuse, success, timestamp, wrapped
from gateway.replying import JSON, NO_STORE, Refused, Reply, not_ready, overloaded, refusal


def body(answer: Reply) -> dict[str, object]:
    return msgspec.json.decode(answer.body)


def test_a_success_carries_its_data_and_is_kept_by_nobody_unless_it_says_so() -> None:
    answer = success({"price": Decimal("19.90")})
    assert answer.body == b'{"status":"success","data":{"price":19.90}}'
    assert NO_STORE in answer.headers
    kept = success(msgspec.Raw(b"1"), ("cache-control", "public"), status=201)
    assert (kept.status, kept.body) == (201, b'{"status":"success","data":1}')
    assert NO_STORE not in kept.headers


def test_a_list_stands_by_itself_with_its_pages() -> None:
    document = {"results": [1], "pagination": {"page": 1, "limit": 30, "total": 1, "pages": 1}}
    assert body(success(document)) == document


def test_an_error_says_what_it_is_what_to_do_and_which_request_it_was() -> None:
    answer = failure("r-1", 409, Problem("TAKEN", "It is taken.", False, "choose_another"))
    document = body(answer)
    assert document["status"] == "error"
    assert document["error"] == {
        "code": "TAKEN",
        "message": "It is taken.",
        "details": {"retryable": False, "suggestedAction": "choose_another"},
    }
    assert isinstance(document["metadata"], dict)
    assert document["metadata"]["requestId"] == "r-1"


def test_no_header_of_an_error_is_sent_twice() -> None:
    reply = BusReply("x", 400, problem=Problem("A", "b"))
    names = [name for name, _ in enveloped("r-1", reply, NO_STORE, ("x-a", "1")).headers]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("status", [429, 503])
def test_who_is_told_to_come_back_is_told_when(status: int) -> None:
    names = [name for name, _ in failure("r-1", status, Problem("LATER", "Come back.")).headers]
    assert names.count("retry-after") == 1
    own = failure("r-1", status, Problem("LATER", "Come back."), ("retry-after", "77"))
    assert [value for name, value in own.headers if name == "retry-after"] == ["77"]


@pytest.mark.parametrize(
    ("plain", "code"),
    [
        (refusal(404, "There is no such route."), "NOT_FOUND"),
        (refusal(405, "Not this method.", ("allow", "GET")), "METHOD_NOT_ALLOWED"),
        (not_ready(), "SERVICE_UNAVAILABLE"),
        (overloaded(), "SERVICE_UNAVAILABLE"),
    ],
)
def test_a_refusal_that_was_made_for_every_route_gets_the_envelope_and_keeps_its_headers(
    plain: Reply, code: str
) -> None:
    answer = wrapped("r-1", plain)
    error = body(answer)["error"]
    assert isinstance(error, dict)
    assert error["code"] == code
    assert "sale" not in error["message"]
    assert set(plain.headers) <= set(answer.headers)


def test_what_has_its_envelope_is_left_alone() -> None:
    for answer in (failure("r-1", 404, Problem("A", "b")), success(1), Reply(302, (JSON,), b"")):
        assert wrapped("r-2", answer) is answer


def test_a_refusal_can_be_raised_from_anywhere() -> None:
    with pytest.raises(Refused) as caught:
        refuse("r-1", 404, "GONE", "It is gone.", retryable=False)
    assert caught.value.reply.status == 404


def test_times_have_milliseconds_and_a_zone() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", timestamp())
