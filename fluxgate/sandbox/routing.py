"""Which handler a request is for."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from fluxgate.sandbox.serving import Reply, Request

Handler = Callable[..., Awaitable[Reply]]
Route = tuple[str, str, Handler]
"""Method, path with `{id}` where something stands in it, and what answers."""


class Work(NamedTuple):
    """What a request asks for: its route, and the handler with the parts of the path; no handler, nothing is there."""

    route: str
    handler: Handler | None
    arguments: tuple[str, ...]
    # Of a path without a handler: whether another method has one.
    is_known: bool


class Routes:
    """The addresses of a sandbox."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._patterns = [
            (method, re.compile(path.replace("{id}", "([^/]{1,64})")), f"{method} {path}", handler)
            for method, path, handler in routes
        ]

    def find(self, request: Request) -> Work:
        """What a request asks for."""
        is_known = False
        for method, pattern, route, handler in self._patterns:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                return Work(route, handler, found.groups(), True)
            is_known = is_known or bool(found)
        return Work("other", None, (), is_known)
