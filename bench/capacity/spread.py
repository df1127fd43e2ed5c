"""How a crowd falls onto lanes: the share of the orders that each lane gets."""

import itertools
from collections.abc import Sequence

import lua

# Products of the simulated sale, and how popular they are: the n-th sells 1/n of the first.
PRODUCTS = 1_000
ZIPF = 1.0
# A product that has more than this share of a fair lane is split over all of them.
SPLIT_FROM = 0.1

Shares = list[float]
"""A share for each lane; together 1."""


def zipf(count: int, exponent: float = ZIPF) -> list[float]:
    """The popularity of `count` products, the first the most; together 1."""
    weights = [1 / rank**exponent for rank in range(1, count + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def by_buyer(lanes: int) -> Shares:
    """Everything is split: a buyer's digest chooses the lane, and digests are even."""
    return [1 / lanes] * lanes


def by_product(lanes: int, popularity: Sequence[float]) -> Shares:
    """Each product is in the lane that `lua.lane_of` gives it."""
    shares = [0.0] * lanes
    for rank, weight in enumerate(popularity):
        shares[lua.lane_of(f"product-{rank}", lanes)] += weight
    return shares


def hot_split(lanes: int, popularity: Sequence[float]) -> Shares:
    """Products hotter than SPLIT_FROM of a lane are split over all lanes by their buyers, the others have one lane."""
    hot = sum(weight for weight in popularity if weight * lanes > SPLIT_FROM)
    cold = [0.0 if weight * lanes > SPLIT_FROM else weight for weight in popularity]
    return [share + hot / lanes for share in by_product(lanes, cold)]


def count_split(lanes: int, popularity: Sequence[float]) -> int:
    """How many products `hot_split` splits."""
    return sum(weight * lanes > SPLIT_FROM for weight in popularity)


def hottest(shares: Shares) -> float:
    """How much the fullest lane has, in multiples of a fair share."""
    return max(shares) * len(shares)


def cumulated(shares: Shares) -> list[float]:
    """The shares summed up, as `random.choices` takes them."""
    return list(itertools.accumulate(shares))
