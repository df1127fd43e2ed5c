"""How a fault of G2A is told to whoever asked: the code of the contract, an HTTP status, and what to do about it.

404 G2A_PRODUCT_NOT_FOUND   there is no such product
409 G2A_OUT_OF_STOCK        fewer units than were asked for
429 G2A_RATE_LIMIT          as many requests as G2A takes; later
502 G2A_AUTH_FAILED         our credentials are wrong: no repetition helps, and it is no fault of whoever asked
502 G2A_API_ERROR           G2A has refused, or its answer makes no sense: no repetition helps
503 G2A_API_ERROR           G2A has a fault that passes; later
503 G2A_TIMEOUT             G2A has not answered in time; later
"""

from typing import NamedTuple

from workers.clients.g2a import G2AFault
from workers.service import Refuse

STATUSES: dict[str, int] = {
    "G2A_AUTH_FAILED": 502,
    "G2A_PRODUCT_NOT_FOUND": 404,
    "G2A_OUT_OF_STOCK": 409,
    "G2A_API_ERROR": 502,
    "G2A_RATE_LIMIT": 429,
    "G2A_TIMEOUT": 503,
}
_PASSING_STATUS = 503


class Told(NamedTuple):
    """What is told of a fault."""

    status: int
    code: str
    message: str


def told(fault: G2AFault) -> Told:
    """What is told of a fault."""
    is_upset = fault.code == "G2A_API_ERROR" and fault.is_passing
    return Told(_PASSING_STATUS if is_upset else STATUSES[fault.code], fault.code, fault.message)


def refusal(problem: Told) -> Refuse:
    """A fault as the refusal of a command."""
    is_later = problem.status in (429, 503)
    action = "retry_later" if is_later else "contact_support" if problem.status == 502 else "correct_request"
    return Refuse(*problem, retryable=is_later, action=action)
