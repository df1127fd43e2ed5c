"""What every refusal owes a client: a 4xx of our own form, a sentence that helps, and the request's id."""

from tests.support.http import Response

SENTENCE_MIN = 20


def refused(response: Response | None, *statuses: int) -> str:
    """Check a refusal that our code made, and give its sentence."""
    assert response is not None, "the server closed the connection without an answer"
    assert response.status in statuses, response
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    document = response.json()
    if document == {"error": "Missing Idempotency Key"}:
        return document["error"]
    if document.get("success") is False:
        # The contract of Amazon's syncs has its refusals flat.
        assert {"message", "error"} <= set(document), document
        assert document["error"] == document["error"].lower()
        said = document["message"]
    elif "error" in document:
        # The envelope of /api; some contracts there have the error alone.
        assert set(document["error"]) == {"code", "message", "details"}, document
        assert set(document["error"]["details"]) == {"retryable", "suggestedAction"}, document
        if set(document) != {"error"}:
            assert document["status"] == "error"
            assert document["metadata"]["requestId"] == response.headers["x-request-id"]
        said = document["error"]["message"]
    else:
        assert document["status"] == "error"
        said = document["msg"]
    assert len(said) >= SENTENCE_MIN, document
    return said


def code(answer: Response | None, *statuses: int) -> str:
    """The code of a refusal by a route of /api, whose form is checked."""
    refused(answer, *statuses)
    assert answer is not None
    error = answer.json()["error"]
    return error if isinstance(error, str) else error["code"]


def unread(response: Response | None) -> None:
    """Check the refusal of a request that the server itself could not read: 4xx, or the connection is closed."""
    assert response is None or 400 <= response.status < 500, response
