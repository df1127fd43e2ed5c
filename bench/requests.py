"""The bytes of the requests that the bench sends."""

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


def order_template(port: int, run: int, product: str) -> bytes:
    """`POST /order` as a template for `template % (n, n)`: buyer n under key n, both unique in the run.

    The key has the form of a UUID, as the contract advises its clients; `run` (below 2**32) keeps runs apart.
    """
    body = b'{"productId":%s,"userId":"buyer-000000000000"}' % msgspec.json.encode(product)
    key = order_key(run, 0)
    whole = request_bytes("POST", "/order", port, body, f"{JSON}x-idempotency-key: {key}\r\n")
    return whole.replace(b"%", b"%%").replace(b"000000000000", b"%012d")


def order_key(run: int, number: int) -> str:
    """The idempotency key of order `number` of a run."""
    return f"{run:08x}-0000-4000-8000-{number:012d}"
