"""Answers in JSON, refusals, and what is read of the documents that a sandbox is told."""

from typing import Any, TypeVar

import msgspec

from fluxgate.sandbox.serving import Reply, Request

T = TypeVar("T")

encoder = msgspec.json.Encoder(decimal_format="number")


class Refused(Exception):
    """A request that is answered with an error; without a code, with the usual one for the status."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def ok(document: Any, status: int = 200) -> Reply:
    """A document."""
    return Reply(status, encoder.encode(document))


def decoded(request: Request, wanted: type[T]) -> T:
    """The body of a request. Raises Refused."""
    try:
        return msgspec.json.decode(request.body, type=wanted)
    except msgspec.DecodeError as error:
        raise Refused(400, "", f"{error}.") from None


def converted(given: Any, wanted: type[T]) -> T:
    """A document that was read already. Raises Refused."""
    try:
        return msgspec.convert(given, wanted)
    except msgspec.ValidationError as error:
        raise Refused(400, "", f"{error}.") from None


def bounded(request: Request, name: str, default: int, largest: int = 100_000) -> int:
    """A number from 0 of the query. Raises Refused."""
    given = request.query.get(name, str(default))
    if not given.isascii() or not given.isdigit():
        raise Refused(400, "", f"{name} is a number.")
    return min(int(given[:9]), largest)
