"""Opens the sale that a load is about."""

import http.client

import msgspec

from bench.loopback import LOOPBACK

# How long `/init` may take.
OPEN_MAX_S = 30.0


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
