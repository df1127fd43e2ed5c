"""Errors, in the shape that each of the two APIs has."""

from fluxgate.sandbox.replies import ok
from fluxgate.sandbox.serving import Reply

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


def refused(path: str, status: int, message: str, code: str = "") -> Reply:
    """An error, in the shape that the API at this path has; without a code, the usual one for the status."""
    if path.startswith("/v1/"):
        code = code or EXPORT_CODES.get(status, f"ERR{status}")
        return ok({"status": "ERROR", "message": message, "code": code}, status)
    code = code or CONTRACT_CODES.get(status, "INTERNAL_ERROR")
    return ok({"error": {"code": code, "message": message}}, status)
