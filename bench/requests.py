"""The bytes of the requests that the bench sends."""

from collections.abc import Callable

import msgspec

from bench.loopback import LOOPBACK

HEAD = (
    "{method} {path} HTTP/1.1\r\nhost: " + LOOPBACK + ":{port}\r\n{headers}content-length: {length}\r\n\r\n"
)  # fmt: skip
JSON = "content-type: application/json\r\n"


def request_bytes(method: str, path: str, port: int, body: bytes = b"", headers: str = "") -> bytes:
    """One request with a body whose length is stated."""
    return HEAD.format(method=method, path=path, port=port, headers=headers, length=len(body)).encode() + body


def order_bytes(port: int, key: str, product: str, user: str) -> bytes:
    """`POST /order` of one buyer under one idempotency key."""
    body = msgspec.json.encode({"productId": product, "userId": user})
    return request_bytes("POST", "/order", port, body, f"{JSON}x-idempotency-key: {key}\r\n")


def order_maker(port: int, run: int, product: str, products: int = 1) -> Callable[[int], bytes]:
    """Makes `POST /order` number n: buyer n under key n, both unique in the run, for the products in turn.

    The key has the form of a UUID, as the contract advises its clients; `run` (below 2**32) keeps runs apart.
    """
    names = product_names(product, products)
    first = order_bytes(port, order_key(run, 0), names[0], _buyer(0)).replace(b"%", b"%%")
    # Requests differ in nothing but their numbers, so the rest of them is made once.
    head, end, body = first.partition(b"\r\n\r\n")
    head = head.replace(b"%012d" % 0, b"%012d")
    body = body.replace(_buyer(0).encode(), b"buyer-%012d")
    if products == 1:
        template = head + end + body
        return lambda number: template % (number, number)
    template = head + end + body.replace(b'-%05d"' % 0, b'-%05d"')
    return lambda number: template % (number, number % products, number)


def product_names(product: str, products: int) -> list[str]:
    """What the products of one load are called."""
    return [product] if products == 1 else [f"{product}-{number:05d}" for number in range(products)]


def order_key(run: int, number: int) -> str:
    """The idempotency key of order `number` of a run."""
    return f"{run:08x}-0000-4000-8000-{number:012d}"


def _buyer(number: int) -> str:
    return f"buyer-{number:012d}"
