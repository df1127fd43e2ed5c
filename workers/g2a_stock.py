"""What G2A has of a product now. The gateway keeps each answer for some minutes, so few questions come here.

Consumes  check_stock, as a command of the worker `g2a`
Calls     G2A
Writes    nothing
Emits     a reply
Fails     with the code of G2A's contract
"""

import msgspec

from contract.bus import BusCommand
from contract.g2a import OneProduct
from workers.clients.g2a import G2AFault
from workers.g2a_problems import refusal, told
from workers.service import Desk, Ending, Handler, replied

WITHIN_S = 4.0
"""How long G2A is asked, repetitions included: less than the gateway waits for our answer, so that it hears what was
wrong."""

_one = msgspec.json.Decoder(OneProduct)


async def check_stock(desk: Desk, command: BusCommand) -> Ending:
    """How many units of a product can be bought at G2A now."""
    product_id = _one.decode(command.body).product_id
    try:
        product = await desk.tools.g2a.find_product(product_id, patience_s=WITHIN_S)
    except G2AFault as fault:
        raise refusal(told(fault)) from None
    return replied({"available": product.stock > 0, "stock": product.stock})


HANDLERS: dict[str, Handler] = {"check_stock": check_stock}
