"""Who asks: a signed-in person, or a guest with a session."""

from typing import NamedTuple


class Caller(NamedTuple):
    """Who a request comes from, as far as the gateway has verified it; empty texts where nothing is known."""

    user_id: str = ""
    role: str = ""
    session_id: str = ""


GUEST = Caller()
