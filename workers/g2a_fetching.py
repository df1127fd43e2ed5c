"""What a step of a sync fetches from G2A: a page of the catalogue, some chosen products, or some that are missing.

Each call to G2A takes a moment, and a step has some seconds: of products that are asked for one by one it takes as
many as come in time, and the next step goes on behind them.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from contract.g2a import SyncBody
from workers.clients.g2a import G2A, BadProduct, G2AFault, Product
from workers.g2a_batches import QUERIES, REASON_MAX
from workers.g2a_catalogue import Row, Unfit, as_row, is_of
from workers.service import Desk

SHARE = 0.5
"""Of the rate of requests: the rest is for purchases, which have buyers waiting for them."""
AT_ONCE_MAX = 100
"""Products that one step writes, as many as a page has."""
PAGES_MAX = 100_000
"""Pages of one sync: a million products have 50,000 where pages are short. More is an upstream that never ends."""
MISSING_MAX = 2_000
"""Products that stood on no page and that one full sync asks for; at its share of the rate that takes seven minutes."""
NO_SUCH = "G2A has no such product"
_LEFT = f"more than {MISSING_MAX} products stood on no page; the next full sync asks for the others"


class Fetched(NamedTuple):
    """What a step has to write, and where the run stands after it. `errors` has product and reason; "" stands for a
    product without an id. `gone` are products that G2A does not have."""

    rows: Sequence[Row]
    errors: Sequence[tuple[str, str]]
    gone: Sequence[str]
    pages_done: int
    pages: int | None
    is_last: bool
    missing_after: str | None = None
    missing_asked: int = 0


class _Found(NamedTuple):
    """What was asked for one by one: how many it were, the products, those that cannot be read, and those not there."""

    asked: int
    products: Sequence[Product]
    bad: Sequence[BadProduct]
    gone: Sequence[str]


async def fetch(desk: Desk, run: Any, wanted: SyncBody, give_up: float) -> Fetched:
    """What is next for a run. Products are asked for until `give_up`, by the monotonic clock. Raises G2AFault."""
    g2a: G2A = desk.tools.g2a
    if wanted.product_ids is not None:
        return await _fetch_chosen(g2a, run["pages_done"], wanted, give_up)
    if run["missing_after"] is not None:
        return await _fetch_missing(desk, g2a, run, give_up)
    return await _fetch_page(g2a, run, wanted)


async def _fetch_page(g2a: G2A, run: Any, wanted: SyncBody) -> Fetched:
    number = run["pages_done"] + 1
    page = await g2a.list_products(number, since=run["since"], share=SHARE)
    rows, errors = _sorted_out((one for one in page.products if is_of(one, wanted.categories)), page.bad)
    is_over = number >= page.pages or number >= PAGES_MAX or not (page.products or page.bad)
    looks_for_missing = is_over and run["kind"] == "full" and wanted.categories is None
    after = "" if looks_for_missing else None
    return Fetched(rows, errors, (), number, max(number, page.pages), is_over and not looks_for_missing, after)


async def _fetch_chosen(g2a: G2A, done: int, wanted: SyncBody, give_up: float) -> Fetched:
    ids = wanted.product_ids or ()
    found = await _ask_for(g2a, ids[done : done + AT_ONCE_MAX], give_up)
    rows, errors = _sorted_out((one for one in found.products if is_of(one, wanted.categories)), found.bad)
    errors += [(product_id, NO_SUCH) for product_id in found.gone]
    done += found.asked
    return Fetched(rows, errors, found.gone, done, len(ids), done >= len(ids))


async def _fetch_missing(desk: Desk, g2a: G2A, run: Any, give_up: float) -> Fetched:
    place = (run["pages_done"], run["pages"])
    room = min(AT_ONCE_MAX, MISSING_MAX - run["missing_asked"])
    missing = await desk.pool.fetch(QUERIES["find_missing"], run["began_at"], run["missing_after"], AT_ONCE_MAX)
    if not missing or room <= 0:
        return Fetched((), [("", _LEFT)] if missing else (), (), *place, True, run["missing_after"])
    ids = [product["product_id"] for product in missing[:room]]
    found = await _ask_for(g2a, ids, give_up)
    rows, errors = _sorted_out(found.products, found.bad)
    return Fetched(rows, errors, found.gone, *place, False, ids[found.asked - 1], found.asked)


async def _ask_for(g2a: G2A, ids: Sequence[str], give_up: float) -> _Found:
    """Ask for products one by one, as many as there is time for; a fault counts when nothing has come before it."""
    products: list[Product] = []
    bad: list[BadProduct] = []
    gone: list[str] = []
    for asked, product_id in enumerate(ids):
        if asked and time.monotonic() >= give_up:
            return _Found(asked, products, bad, gone)
        try:
            products.append(await g2a.find_product(product_id, share=SHARE))
        except G2AFault as fault:
            if fault.code == "G2A_PRODUCT_NOT_FOUND":
                gone.append(product_id)
            elif fault.code == "G2A_API_ERROR" and not fault.is_passing:
                bad.append(BadProduct(product_id, fault.message))
            elif asked:
                return _Found(asked, products, bad, gone)
            else:
                raise
    return _Found(len(ids), products, bad, gone)


def _sorted_out(products: Iterable[Product], bad: Iterable[BadProduct]) -> tuple[list[Row], list[tuple[str, str]]]:
    """The products that the store can sell, and why it cannot sell the others."""
    rows: list[Row] = []
    errors = [(one.id[:64], one.reason[:REASON_MAX]) for one in bad]
    for product in products:
        try:
            rows.append(as_row(product))
        except Unfit as unfit:
            errors.append((product.id[:64], str(unfit)))
    return rows, errors
