"""Which form a client wants a diversion in: people are redirected, programs are told."""

from functools import lru_cache

ACCEPTS_REMEMBERED = 256


@lru_cache(ACCEPTS_REMEMBERED)
def prefers_json(accept: str) -> bool:
    """True when an Accept header names JSON, and does not name HTML as highly."""
    weights = {"json": 0.0, "html": 0.0}
    for part in accept[:1024].lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        kind = (
            "json" if media == "application/json" or media.endswith("+json") else "html" if media == "text/html" else ""
        )
        if kind:
            weights[kind] = max(weights[kind], _quality(parameters))
    return weights["json"] > weights["html"]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
