"""What gateway and workers say to each other about the catalogue of G2A: which sync is wanted, and which product."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from contract.games import Label

PRODUCT_ID = r"^[A-Za-z0-9._-]{1,60}\Z"
"""Ids of G2A have 14 digits; whatever can be part of the id of a game, behind its prefix, will do."""
CHOSEN_MAX = 1_000
"""Products that one sync may be asked for by their ids: each is a request to G2A of its own, some 300 a minute."""
CATEGORIES_MAX = 100
QUANTITY_MAX = 1_000_000_000
_product_id = re.compile(PRODUCT_ID)

ProductId = Annotated[str, Meta(pattern=PRODUCT_ID)]


class SyncBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which sync is wanted. A full one writes every game anew and finds out what is gone; else only what G2A has
    changed is written. Products and categories narrow it; relationships are the labels of the games."""

    full_sync: bool = False
    product_ids: Annotated[tuple[ProductId, ...], Meta(min_length=1, max_length=CHOSEN_MAX)] | None = None
    categories: Annotated[tuple[Label, ...], Meta(min_length=1, max_length=CATEGORIES_MAX)] | None = None
    include_relationships: bool = False


class OneProduct(msgspec.Struct, frozen=True):
    """Which product is meant."""

    product_id: ProductId


def is_product_id(text: str) -> bool:
    """Whether a text may name a product of G2A."""
    return _product_id.match(text) is not None
