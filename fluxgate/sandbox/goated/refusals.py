"""Errors, as Goated tells them."""

from fluxgate.sandbox.replies import ok
from fluxgate.sandbox.serving import Reply

MESSAGES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def refused(status: int, message: str = "", code: str = "") -> Reply:
    """An error; without a message, the usual one for the status."""
    document = {"success": False, "message": message or MESSAGES.get(status, "Error")}
    return ok(document | ({"code": code} if code else {}), status)
