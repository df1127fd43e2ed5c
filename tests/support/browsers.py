"""A browser, as far as a gateway notices: it keeps cookies for their paths, and says for which page it asks."""

import json
from http.cookies import SimpleCookie
from typing import Any, NamedTuple

from tests.support.http import Response, request, send

OWN_PAGE = {"Sec_Fetch_Site": "same-origin", "Origin": "http://localhost"}
"""What a browser says of a page of the host that the tests' requests go to."""
OTHER_PAGE = {"Sec_Fetch_Site": "cross-site", "Origin": "https://evil.example"}


class Cookie(NamedTuple):
    """A cookie that a browser keeps."""

    value: str
    path: str
    attributes: frozenset[str]


class Browser:
    """A browser at one gateway. `at` is the address that a trusted proxy tells of it."""

    def __init__(self, port: int, at: str = "") -> None:
        self.port = port
        self.at = at
        self.jar: dict[str, Cookie] = {}

    async def get(self, path: str, **headers: str) -> Response:
        """GET a path."""
        return await self.send("GET", path, **headers)

    async def post(self, path: str, document: Any = None, **headers: str) -> Response:
        """POST a document as JSON for a page of ours."""
        return await self.send("POST", path, document, **(OWN_PAGE | headers))

    async def send(self, method: str, path: str, document: Any = None, **headers: str) -> Response:
        """Send a request with the cookies of its path, and keep those of the response."""
        body = b"" if document is None else json.dumps(document).encode()
        cookies = "; ".join(f"{name}={c.value}" for name, c in self.jar.items() if path.startswith(c.path))
        given = {"Cookie": cookies} if cookies else {}
        if body:
            given["Content_Type"] = "application/json"
        if self.at:
            given["X_Forwarded_For"] = self.at
        response = await send(self.port, request(method, path, body, **(given | headers)))
        for line in response.set_cookies:
            self._keep(line)
        return response

    def _keep(self, line: str) -> None:
        ((name, morsel),) = SimpleCookie(line).items()
        if morsel["max-age"] == "0":
            self.jar.pop(name, None)
            return
        named = ("httponly", "secure")
        attributes = {flag for flag in named if morsel[flag]} | {f"samesite={morsel['samesite']}".lower()}
        self.jar[name] = Cookie(morsel.value, morsel["path"], frozenset(attributes))
