"""Which form a client wants a diversion in: people are redirected, programs are told."""

from functools import lru_cache

ACCEPTS_REMEMBERED = 256


@lru_cache(ACCEPTS_REMEMBERED)
def prefers_json(accept: bytes) -> bool:
    """True when an Accept header names JSON, and does not name HTML as highly."""
    weights = {b"json": 0.0, b"html": 0.0}
    for part in accept[:1024].lower().split(b","):
        media, *parameters = (piece.strip() for piece in part.split(b";"))
        kind = (
            b"json"
            if media == b"application/json" or media.endswith(b"+json")
            else b"html"
            if media == b"text/html"
            else b""
        )
        if kind:
            weights[kind] = max(weights[kind], _quality(parameters))
    return weights[b"json"] > weights[b"html"]


def _quality(parameters: list[bytes]) -> float:
    for parameter in parameters:
        if parameter.startswith(b"q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
