"""Everything that is worked out and simulated from one set of figures; the same figures give the same study."""

import math
from collections.abc import Callable
from typing import NamedTuple

from bench.capacity.arithmetic import work_out
from bench.capacity.crowd import Entry, let_in
from bench.capacity.inputs import Inputs
from bench.capacity.ride import Plant, Ride, ride
from bench.capacity.spread import PRODUCTS, Shares, by_buyer, by_product, hot_split, zipf
from bench.capacity.stock import Ending, sell

RATES = (10_000.0, 100_000.0, 583_000.0)
OVERLOADS = (1.0, 2.0, 10.0)
SEED = 20_201_111
# Loads of a ride, in multiples of the rate that the plant is made for.
LOADS = (0.1, 0.25, 0.5, 1.0)
# How long a ride lasts, several times what its slowest orders take, and the fewest orders that it has.
RIDE_S, ORDERS_MIN = 0.3, 20_000
# Lanes of one cell, where processes are put into cells.
CELL_LANES = 4
# Units of a split product, the lanes that it is split over, and buyers for each unit.
STOCKS = (100, 1_000, 10_000, 100_000)
SPLITS = (4, 16, 64)
DEMANDS = (1.0, 1.1, 1.5, 3.0)


class Tokens(NamedTuple):
    """One way to spread a sale over lanes, and what a crowd of each overload found there."""

    spread: str
    shares: Shares
    entries: list[Entry]


class Trip(NamedTuple):
    """One ride, and what it was of."""

    load: float
    plant: Plant
    found: Ride


class Scale(NamedTuple):
    """One rate: what it needs, and how it went."""

    rate: float
    needs: dict[str, float]
    tokens: list[Tokens]
    # Every process at every lane, at every load of LOADS.
    rides: list[Trip]
    # The rate itself on a fast disk, and with processes in cells.
    others: list[tuple[str, Trip]]


class Study(NamedTuple):
    """The whole of it."""

    inputs: Inputs
    measured_at: str
    scales: list[Scale]
    endings: list[Ending]


def study(inputs: Inputs, measured_at: str, rates: tuple[float, ...], progress: Callable[[str], None]) -> Study:
    """Work out and simulate every rate."""
    scales: list[Scale] = []
    for rate in rates:
        needs = work_out(inputs, rate)
        progress(f"{rate:,.0f} orders/s: the token bucket")
        tokens = _tokens(rate, int(needs["lanes"]))
        progress(f"{rate:,.0f} orders/s: batches")
        scales.append(Scale(rate, needs, tokens, *_rides(inputs, rate, needs)))
    progress("the end of a split product")
    endings = [sell(stock, lanes, demand, SEED) for stock in STOCKS for lanes in SPLITS for demand in DEMANDS]
    return Study(inputs, measured_at, scales, endings)


def _tokens(rate: float, lanes: int) -> list[Tokens]:
    popularity = zipf(PRODUCTS)
    spreads = {"one bucket for all": [1.0]}
    if lanes > 1:
        spreads["a lane for each product"] = by_product(lanes, popularity)
        spreads["hot products split by buyer"] = hot_split(lanes, popularity)
        spreads["every product split by buyer"] = by_buyer(lanes)
    return [
        Tokens(name, shares, [let_in(rate, int(rate), shares, overload, SEED) for overload in OVERLOADS])
        for name, shares in spreads.items()
    ]


def _rides(inputs: Inputs, rate: float, needs: dict[str, float]) -> tuple[list[Trip], list[tuple[str, Trip]]]:
    cpu, costs, assumed = inputs
    lanes, gateways = int(needs["lanes"]), int(needs["gateways"])

    def trip(load: float, *, fsync_us: float = costs.fsync_us, cells: int = 1) -> Trip:
        plant = Plant(
            # Every cell has as many processes as the others.
            processes=math.ceil(gateways / cells) * cells,
            shares=by_buyer(math.ceil(lanes / cells) * cells),
            gateway_us=cpu.gateway_us + (assumed.asks_per_order - 1) * cpu.refusal_us,
            batch_us=costs.batch_us,
            order_us=costs.batched_us + costs.settle_us,
            fsync_us=fsync_us,
            hop_us=assumed.hop_us,
            cells=cells,
        )
        return Trip(load, plant, ride(plant, rate * load, max(ORDERS_MIN, int(rate * load * RIDE_S)), SEED))

    others = [("a fast disk", trip(1.0, fsync_us=assumed.fast_fsync_us))]
    if lanes > CELL_LANES:
        cells = math.ceil(lanes / CELL_LANES)
        others.append((f"{cells} cells", trip(1.0, cells=cells)))
        others.append((f"{cells} cells, a fast disk", trip(1.0, fsync_us=assumed.fast_fsync_us, cells=cells)))
    return [trip(load) for load in LOADS], others
