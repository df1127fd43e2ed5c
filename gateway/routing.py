"""Finds the handler of a request by method and path."""

import re
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from gateway.replying import Refused, refusal

H = TypeVar("H")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BAD_PATH = refusal(400, "The path contains control characters; no route and no id has any.")
_NO_ROUTE = refusal(404, "There is no such route; they are described at /openapi.json.")
_PARAMETER = re.compile(r"\\\{(\w+)(:path)?\\\}")


class Found(NamedTuple, Generic[H]):
    """A handler, the path of its route, and what the request's path holds for the names in it."""

    handler: H
    route: str
    params: dict[str, str]


class Router(Generic[H]):
    """A table of routes: method, path, handler. `{name}` in a path is one segment, `{name:path}` all the rest."""

    def __init__(self, table: Iterable[tuple[str, str, H]]) -> None:
        self._routes: dict[str, tuple[re.Pattern[str], dict[str, H]]] = {}
        for method, path, handler in table:
            _, handlers = self._routes.setdefault(path, (_pattern(path), {}))
            handlers[method] = handler
            if method == "GET":
                handlers["HEAD"] = handler

    def find(self, method: str, path: str) -> Found[H]:
        """The route of a request. Raises Refused: 400, 404, or 405 with the methods that the path takes."""
        if _CONTROL.search(path):
            raise Refused(_BAD_PATH)
        for route, (pattern, handlers) in self._routes.items():
            match = pattern.fullmatch(path)
            if match is None:
                continue
            handler = handlers.get(method)
            if handler is None:
                allow = ", ".join(sorted(handlers))
                raise Refused(refusal(405, f"This route takes {allow}, not {method[:16]}.", ("allow", allow)))
            return Found(handler, route, match.groupdict())
        raise Refused(_NO_ROUTE)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_PARAMETER.sub(lambda found: f"(?P<{found[1]}>{'.*' if found[2] else '[^/]+'})", re.escape(path)))
