"""Opens the sale that a load is about."""

import asyncio
import http.client
from collections import deque
from collections.abc import Sequence

import msgspec

from bench.history import Buyer
from bench.loopback import LOOPBACK, loopback_port
from bench.requests import JSON, request_bytes

# How long `/init` may take.
OPEN_MAX_S = 30.0
# Sales that are opened at once; the fsyncs are shared.
OPEN_AT_ONCE = 64


class SaleRefusedError(Exception):
    """A sale that could not be opened. The message says what was answered."""


def open_sale(port: int, product: str, quantity: int, admin_key: str = "") -> None:
    """`POST /init` with `quantity` units. Raises SaleRefusedError when the answer is not 200, or none comes."""
    headers = {"content-type": "application/json"} | ({"x-admin-key": admin_key} if admin_key else {})
    body = msgspec.json.encode({"productId": product, "quantity": quantity})
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=OPEN_MAX_S)
    try:
        connection.request("POST", "/init", body, headers)
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise SaleRefusedError(f"Nothing answers at port {port}; is Flux-Gate up? ({error})") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise SaleRefusedError(f"The sale of {product} could not be opened: {answer.status} {said[:200]}")


async def open_sales(url: str, products: Sequence[str], quantity: int) -> None:
    """Open many sales with `quantity` units each. Raises SaleRefusedError for the first that is refused."""
    port = loopback_port(url)
    rest = deque(products)

    async def work() -> None:
        operator = Buyer(port)
        try:
            while rest:
                product = rest.popleft()
                body = msgspec.json.encode({"productId": product, "quantity": quantity})
                answer = await operator.ask(request_bytes("POST", "/init", port, body, JSON))
                if answer.status != 200:
                    said = answer.body.decode(errors="replace")
                    raise SaleRefusedError(f"The sale of {product} could not be opened: {answer.status} {said[:200]}")
        finally:
            rest.clear()
            operator.leave()

    outcomes = await asyncio.gather(*(work() for _ in range(OPEN_AT_ONCE)), return_exceptions=True)
    for refused in filter(None, outcomes):
        raise refused
