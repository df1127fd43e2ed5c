"""Products, computed from a seed and a number: a million of them take no memory.

They look like those of G2A: ids of 14 digits, prices that are integers or fractions, empty texts where there is
nothing, limits that are null, and some that are not for sale whatever their quantity is. The catalogue moves: with each
day an eighth of it gets other quantities and prices. What tests set stands above what is computed.
"""

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

FIRST_ID = 10_000_000_000_000
# Product numbers are spaced, and their last digits checked, so that most ids name nothing.
ID_STEP = 1000
CHECK_DIGITS = 997
# Digests that are kept: one product is asked for its digests several times in a row, and those of a page are two each.
DIGESTS_MAX = 1024
# Each product moves once in so many days.
PHASES = 8
# Days before this one are when products that have not moved were changed last.
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
TIME_FORM = "%Y-%m-%d %H:%M:%S"

FIRST = ("Iron", "Silent", "Crimson", "Hollow", "Golden", "Distant", "Broken", "Frozen", "Hidden", "Burning", "Last")
SECOND = ("Harbor", "Empire", "Frontier", "Garden", "Signal", "Citadel", "Horizon", "Orchard", "Voyage", "Reactor")
GENRES = ("Action", "Adventure", "RPG", "Strategy", "Simulation", "Racing", "Sports", "Puzzle", "Shooter", "Indie")
PLATFORMS = ("Steam", "GOG", "Epic Games", "Origin", "Xbox Live", "")
REGIONS = ("GLOBAL", "EUROPE", "UNITED STATES", "")
DEVELOPERS = ("Lantern Works", "Studio Meridian", "Northgate Interactive", "Paper Boat Games", "")
PUBLISHERS = ("Meridian Publishing", "Big Harbor", "Northgate", "")
PEGI = ("violence", "profanity", "discrimination", "drugs", "fear", "gambling", "online", "sex")
PEGI_SETS = [{f"pegi_{name}": bool(bits >> bit & 1) for bit, name in enumerate(PEGI)} for bits in range(256)]
NO_REQUIREMENTS = {f"req{name}": "" for name in ("processor", "graphics", "memory", "diskspace", "system", "other")}
GAMES = {"id": 189, "name": "Games"}
CATEGORIES = [[GAMES, {"id": 200 + number, "name": name}] for number, name in enumerate(GENRES)]


class Move(NamedTuple):
    """A day that the catalogue was moved to, and when."""

    day: int
    at: datetime


@dataclass
class Own:
    """What was set by hand for one product, or has become of it."""

    price_cents: int | None = None
    quantity: int | None = None
    is_removed: bool = False
    broken: str = ""
    # Units sold or kept for somebody.
    taken: int = 0
    changed_at: datetime | None = None


@dataclass
class Catalogue:
    """The catalogue as it is now."""

    seed: int
    size: int
    moves: list[Move] = field(default_factory=list[Move])
    own: dict[int, Own] = field(default_factory=dict[int, Own])
    # Counts every change, so that what was computed from the catalogue can tell when it is stale.
    version: int = 0

    @property
    def day(self) -> int:
        """The day that the catalogue has been moved to."""
        return self.moves[-1].day if self.moves else 0

    def move_to(self, day: int) -> None:
        """Let days pass."""
        self.moves.append(Move(day, datetime.now(UTC)))
        self.version += 1

    def resize(self, size: int) -> None:
        """Let products come at the end of the catalogue, or go from there."""
        self.size = size
        self.version += 1

    def touch(self, number: int) -> Own:
        """What is particular about a product, to be changed now."""
        self.version += 1
        own = self.own.setdefault(number, Own())
        own.changed_at = datetime.now(UTC)
        return own

    def find(self, product_id: str) -> int | None:
        """The number of the product that has this id, also of one that was removed; None when none has it."""
        if not (product_id.isascii() and product_id.isdigit() and len(product_id) == 14):
            return None
        number = (int(product_id) - FIRST_ID) // ID_STEP - 1
        return number if 0 <= number < self.size and id_of(number) == product_id else None

    def is_removed(self, number: int) -> bool:
        """Whether a product was taken out of the catalogue."""
        own = self.own.get(number)
        return own is not None and own.is_removed

    def price_cents(self, number: int) -> int:
        """The lowest price, in cents."""
        own = self.own.get(number)
        if own and own.price_cents is not None:
            return own.price_cents
        digest = self._digest_of_day(number)
        # Between 0.99 and 60.98; one in five is without cents.
        cents = 99 + int.from_bytes(digest[:2], "big") % 6000
        return -(-cents // 100) * 100 if digest[2] % 5 == 0 else cents

    def quantity(self, number: int) -> int:
        """Units that are left; one product in ten has none."""
        own = self.own.get(number)
        digest = self._digest_of_day(number)
        there = 0 if digest[3] % 10 == 0 else 1 + int.from_bytes(digest[4:6], "big") % 4000
        if own is None:
            return there
        return max(0, (there if own.quantity is None else own.quantity) - own.taken)

    def is_for_sale(self, number: int) -> bool:
        """Whether G2A sells it; one in twenty it does not, whatever the quantity."""
        own = self.own.get(number)
        return bool(own and own.quantity is not None) or self._digest(number)[6] % 20 != 0

    def changed_at(self, number: int) -> datetime:
        """When a product was changed last."""
        own = self.own.get(number)
        if own and own.changed_at:
            return own.changed_at
        moved = self._moved_on(number)
        if not moved:
            return BEFORE - timedelta(minutes=1 + int.from_bytes(self._digest(number)[7:10], "big") % 525_600)
        # The move that took the catalogue to this day or past it.
        return self.moves[bisect_left(self.moves, moved, key=lambda move: move.day)].at

    def document(self, number: int) -> dict[str, Any]:
        """The product as G2A tells it."""
        own = self.own.get(number)
        document = self._document(number)
        return broken(document, own.broken) if own and own.broken else document

    def _moved_on(self, number: int) -> int:
        """The last day on which this product moved; 0 where it has not."""
        return max(0, self.day - (self.day - number) % PHASES)

    def _digest(self, number: int) -> bytes:
        return _digest(self.seed, number)

    def _digest_of_day(self, number: int) -> bytes:
        moved = self._moved_on(number) if self.moves else 0
        return _digest(self.seed, number, moved + 1)

    def _document(self, number: int) -> dict[str, Any]:
        digest = self._digest(number)
        product_id = id_of(number)
        platform = PLATFORMS[digest[10] % len(PLATFORMS)]
        region = REGIONS[digest[11] % len(REGIONS)]
        title = f"{FIRST[digest[12] % len(FIRST)]} {SECOND[digest[13] % len(SECOND)]} {number + 1}"
        name = " ".join(word for word in (title, platform, "Key", region) if word)
        cents = self.price_cents(number)
        image = f"https://images.example/{{}}/{digest.hex()[:24]}"
        changed = self.changed_at(number)
        limits = (None, None) if digest[22] % 2 else (amount(cents), amount(cents + 50))
        videos = [f"https://video.example/{product_id}"] * (digest[15] % 3 == 0)
        return {
            "id": product_id,
            "name": name,
            "type": "" if digest[15] % 2 else "egoods",
            "slug": f"/{name.lower().replace(' ', '-')}-i{product_id}",
            "qty": self.quantity(number),
            "minPrice": amount(cents),
            "retail_min_price": amount(cents + cents // 4),
            "retailMinBasePrice": (cents + cents // 4) // 100,
            "availableToBuy": self.is_for_sale(number),
            "thumbnail": image.format("58x58"),
            "smallImage": image.format("230x336"),
            "coverImage": image.format("0x0"),
            "images": [image.format("0x0")] * (digest[16] % 3),
            "updated_at": ""
            if changed < BEFORE and digest[17] % 2
            else str(changed.replace(microsecond=0, tzinfo=None)),
            "release_date": "" if digest[18] % 3 == 0 else f"20{10 + digest[18] % 16}-{1 + digest[19] % 12:02}-15",
            "region": region,
            "developer": DEVELOPERS[digest[20] % len(DEVELOPERS)],
            "publisher": PUBLISHERS[digest[21] % len(PUBLISHERS)],
            "platform": platform,
            "priceLimit": dict(zip(("min", "max"), limits, strict=True)),
            "restrictions": PEGI_SETS[digest[23]],
            "requirements": {"minimal": NO_REQUIREMENTS, "recommended": NO_REQUIREMENTS},
            "videos": [{"type": "YOUTUBE", "url": url} for url in videos],
            "categories": CATEGORIES[digest[14] % len(CATEGORIES)],
        }


@lru_cache(maxsize=DIGESTS_MAX)
def _digest(seed: int, number: int, part: int = 0) -> bytes:
    """What is by chance with a product: 24 bytes that are always the same."""
    return hashlib.blake2b(b"%d:%d:%d" % (seed, number, part), digest_size=24).digest()


def id_of(number: int) -> str:
    """The id of the product that has this number, from 0."""
    return str(FIRST_ID + (number + 1) * ID_STEP + number % CHECK_DIGITS)


def amount(cents: int) -> float | int:
    """An amount as G2A writes it: an integer where it has no cents."""
    return cents / 100 if cents % 100 else cents // 100


def broken(document: dict[str, Any], how: str) -> dict[str, Any]:
    """A product that cannot be read, in one of the ways of `control.Broken`."""
    match how:
        case "no_id":
            del document["id"]
        case "no_name":
            document["name"] = ""
        case "no_price":
            document["minPrice"] = None
        case "price_text":
            document["minPrice"] = "free"
        case "price_negative":
            document["minPrice"] = -1
        case "quantity_text":
            document["qty"] = "many"
        case "categories_text":
            document["categories"] = "Games"
        case _:
            return {"id": document["id"]}
    return document
