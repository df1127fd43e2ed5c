"""Answers in JSON, in the shape of errors that each of the two APIs has."""

from typing import Any

import msgspec

from fluxgate.sandbox.serving import Reply

encoder = msgspec.json.Encoder(decimal_format="number")
# What the codes of the export API stand for when a fault is asked for by its status alone.
EXPORT_CODES = {400: "BR01", 401: "AUTH02", 402: "ORD05", 403: "ORD112", 404: "ORD02", 429: "BR03", 502: "ORD122"}
CONTRACT_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    402: "PAYMENT_REQUIRED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    429: "RATE_LIMIT_EXCEEDED",
}


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def ok(document: Any, status: int = 200) -> Reply:
    """A document."""
    return Reply(status, encoder.encode(document))


def refused(path: str, status: int, message: str, code: str = "") -> Reply:
    """An error, in the shape that the API at this path has; without a code, the usual one for the status."""
    if path.startswith("/v1/"):
        code = code or EXPORT_CODES.get(status, f"ERR{status}")
        return ok({"status": "ERROR", "message": message, "code": code}, status)
    code = code or CONTRACT_CODES.get(status, "INTERNAL_ERROR")
    return ok({"error": {"code": code, "message": message}}, status)
