"""Errors, as the Selling Partner API and Login with Amazon tell them."""

from fluxgate.sandbox.replies import ok
from fluxgate.sandbox.serving import Reply

CODES = {
    400: "InvalidInput",
    401: "Unauthorized",
    403: "Unauthorized",
    404: "NotFound",
    405: "InvalidInput",
    413: "RequestTooLarge",
    429: "QuotaExceeded",
    503: "ServiceUnavailable",
}
LOGIN_CODES = {400: "invalid_request", 401: "invalid_client", 403: "access_denied", 503: "temporarily_unavailable"}
QUOTA = "You exceeded your quota for the requested resource."
DENIED = "Access to requested resource is denied."


def refused(path: str, status: int, message: str, code: str = "", details: str = "") -> Reply:
    """An error in the shape that belongs to a path; without a code, the usual one for the status."""
    if path.startswith("/auth/"):
        code = code or LOGIN_CODES.get(status, "server_error")
        return ok({"error": code, "error_description": message, "request_id": "sandbox"}, status)
    message = QUOTA if status == 429 else message
    code = code or CODES.get(status, "InternalFailure")
    return ok({"errors": [{"code": code, "message": message, "details": details}]}, status)
