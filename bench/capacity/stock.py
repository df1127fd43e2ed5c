"""The end of a product that is split over lanes: what is left in one lane when another has sold out.

Every lane has an equal part of the stock and buyers fall onto lanes by their digest, so the lanes sell unevenly by
chance alone, and a buyer is told "sold out" while there are units elsewhere.
"""

import math
import random
from collections import Counter
from typing import NamedTuple


class Ending(NamedTuple):
    """A sale of a split product after so many buyers; one unit each."""

    stock: int
    lanes: int
    buyers: int
    sold: int
    # Units in lanes that have not sold out.
    stranded: int
    # Buyers who were told "sold out" while there was a unit in another lane: what a lane without walls had sold them.
    turned_away: int


def sell(stock: int, lanes: int, demand: float, seed: int) -> Ending:
    """Sell to `demand` times as many buyers as there are units."""
    buyers = round(stock * demand)
    asked = Counter(random.Random(seed).choices(range(lanes), k=buyers))
    parts = [stock // lanes + (lane < stock % lanes) for lane in range(lanes)]
    sold = sum(min(part, asked[lane]) for lane, part in enumerate(parts))
    stranded = stock - sold
    return Ending(stock, lanes, buyers, sold, stranded, min(stranded, buyers - sold))


def expected_stranded(stock: int, lanes: int) -> float:
    """Units stranded on average when exactly as many buyers come as there are units: sqrt(stock * (lanes - 1) / 2 pi).

    Buyers of a lane are binomial, so their number is off by sqrt(stock / lanes * (1 - 1 / lanes)), and the mean of the
    shortfall of a normal number is its deviation over sqrt(2 pi).
    """
    return math.sqrt(stock * (lanes - 1) / (2 * math.pi))
