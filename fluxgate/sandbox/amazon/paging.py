"""Pages, and the tokens that lead from one to the next: opaque, and bound to what was asked."""

import base64
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from fluxgate.sandbox.amazon.control import Control
from fluxgate.sandbox.replies import Refused
from fluxgate.sandbox.serving import Request

Place = TypeVar("Place")

# Tokens that are remembered; the oldest are forgotten first. A sync of 200,000 orders gets 2,000 of them.
TOKENS_MAX = 20_000


class Cursor(NamedTuple):
    """Where a page begins. `asked` is the request without its token."""

    asked: tuple[Any, ...]
    last: Any = None
    # Pages without rows that come first, rows of the page before that come again, and the tokens that led here.
    empties: int = 0
    again: Sequence[Any] = ()
    chain: tuple[str, ...] = ()
    made_at: float = 0.0


class Page(NamedTuple, Generic[Place]):
    """The places of a page, and the token of the next; "" where there is none."""

    places: Sequence[Place]
    token: str


class Pages:
    """The tokens that were given out, and what they lead to."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._cursors: OrderedDict[str, Cursor] = OrderedDict()
        # What was given out with the page of a token, so that who goes in a circle comes by the same again.
        self._next: dict[str, str] = {}

    def page(
        self,
        request: Request,
        seller: str,
        name: str,
        size: int,
        fetch: Callable[[Place | None, int], tuple[Sequence[Place], bool]],
    ) -> Page[Place]:
        """One page. `name` is that of the parameter that has the token; `fetch` gives the next places after one, and
        whether others follow. Raises Refused where the token is not good, or not for this request."""
        given = request.query.get(name, "")
        asked = (seller, request.path, *sorted(item for item in request.query.items() if item[0] != name))
        cursor = self._open(given, asked) if given else Cursor(asked)
        chain = (*cursor.chain, given) if given and self._control.loop else ()
        start = chain[0] if chain and len(chain) >= self._control.loop else ""
        if cursor.empties:
            rest = cursor._replace(empties=cursor.empties - 1, chain=chain)
            return Page([], start or self._follow(given, rest))
        size = min(size, self._control.page_max)
        fetched, has_more = fetch(cursor.last, max(1, size - len(cursor.again)))
        places = [*cursor.again, *fetched]
        if chain and (start or not has_more):
            return Page(places, chain[0])
        if not has_more and not self._control.loop:
            return Page(places, "")
        last = fetched[-1] if fetched else cursor.last
        again = fetched[-self._control.duplicates :][: size - 1] if self._control.duplicates else ()
        return Page(places, self._follow(given, Cursor(asked, last, self._control.empty_pages, again, chain)))

    def _follow(self, given: str, cursor: Cursor) -> str:
        """The token after the one that was given."""
        if not (given and self._control.loop):
            return self._issue(cursor)
        if self._next.get(given) not in self._cursors:
            self._next[given] = self._issue(cursor)
        return self._next[given]

    def _issue(self, cursor: Cursor) -> str:
        # Base64 as it comes, with all that has to be quoted in a URL.
        token = base64.b64encode(b"\xfb\xff" + secrets.token_bytes(26)).decode()
        self._cursors[token] = cursor._replace(made_at=time.monotonic())
        if len(self._cursors) > TOKENS_MAX:
            oldest, _ = self._cursors.popitem(last=False)
            self._next.pop(oldest, None)
        return token

    def _open(self, token: str, asked: tuple[Any, ...]) -> Cursor:
        cursor = self._cursors.get(token)
        if cursor is None:
            raise Refused(400, "InvalidInput", "The token of the page is not valid.")
        is_inventory = asked[1].startswith("/fba/")
        lives_s = self._control.inventory_token_s if is_inventory else self._control.page_token_s
        if time.monotonic() - cursor.made_at > lives_s:
            raise Refused(400, "InvalidInput", "The token of the page has expired.")
        if cursor.asked != asked:
            raise Refused(400, "InvalidInput", "The token of the page belongs to another request.")
        if self._control.is_token_single:
            del self._cursors[token]
        return cursor

    def told(self, token: str, name: str) -> dict[str, Any]:
        """The member that tells the token, or on the last page what stands there."""
        if token:
            return {name: token}
        return {"absent": {}, "empty": {name: ""}, "null": {name: None}}[self._control.last_page]
