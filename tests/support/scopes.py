"""The head of a request as the server hands it over, made by hand."""

from collections.abc import Iterable
from dataclasses import dataclass

Pair = tuple[str, str]


class Headers:
    """Headers with the server's habit: what is no visible ASCII has no value, but is there."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = list(pairs)

    def get(self, name: str) -> str | None:
        """The first value that can be read."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """All values that can be read."""
        readable = (value for other, value in self._pairs if other == name)
        return [value for value in readable if all(" " <= c <= "~" or c == "\t" for c in value)]

    def __contains__(self, name: str) -> bool:
        return any(name == other for other, _ in self._pairs)


@dataclass
class HandMade:
    """A request's head."""

    headers: Headers
    proto: str = "http"
    http_version: str = "1.1"
    method: str = "GET"
    path: str = "/"
    query_string: str = ""
    client: str = "127.0.0.1:50000"


def scope_of(*pairs: Pair, host: bool = True, **others: str) -> HandMade:
    """A request with these headers."""
    return HandMade(Headers([("host", "localhost")] * host + list(pairs)), **others)
