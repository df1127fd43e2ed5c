"""GET /api/orders/{id}/keys: the keys of games, for who has bought them.

They come sealed from the worker and are opened here, for this one reply: they are kept in no cache, here or elsewhere.
"""

import msgspec

from gateway.asking import asked_sealed
from gateway.envelope import enveloped, success
from gateway.gate import Call
from gateway.identity import person
from gateway.replying import NO_STORE, Reply

WORKER = "g2a"


async def read_keys(call: Call) -> Reply:
    """The keys of one of the caller's own orders; 409 while they are not there."""
    who = person(call)
    answer, plain = await asked_sealed(call, WORKER, "read_keys", {"order_id": call.params["order_id"]}, who)
    if answer.problem is not None:
        return enveloped(call.request_id, answer)
    return success(msgspec.Raw(plain), NO_STORE)
