"""What the bench runs, and for how long: everything is bounded here."""

import msgspec

from bench.report import Subject


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one bench. Times in seconds."""

    # Before the window of every load that is measured.
    warm_s: float = 0.3
    # Units of a sale that must not sell out, and so the bound of the requests of one load.
    orders_max: int = 1_000_000

    # A crowd on a small stock; the share `crowd_cut` of its requests loses its connection as soon as they are sent.
    crowd_stock: int = 100
    crowd_requests: int = 10_000
    crowd_connections: int = 500
    crowd_cut: float = 0.01

    # Targets 1 to 3: who is compared with whom, and the units of a sale that is sold out before it is measured.
    rounds: int = 5
    connections: tuple[int, ...] = (64, 256)
    subjects: tuple[Subject, ...] = ("bare", "ours", "sold_out", "empty_bucket", "baseline", "base")
    closed_s: float = 1.5
    sold_out_stock: int = 20

    # Target 4: rounds of idle control, half the limit, and twice the limit; then the curve, as shares of the limit.
    latency_rounds: int = 5
    idle_s: float = 1.5
    open_s: float = 2.5
    open_share: float = 0.5
    open_connections: int = 256
    overload_share: float = 2.0
    curve: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
    curve_s: float = 2.0

    # Target 5: bursts, and the orders of each.
    bursts: int = 2
    burst_orders: int = 100_000

    # Target 6: products, records, gateway processes and lanes; the last two sell several products.
    scale_rounds: int = 5
    scale_s: float = 1.0
    scale_connections: int = 256
    products: tuple[int, ...] = (1, 100, 10_000)
    records: int = 1_000_000
    gateways: tuple[int, ...] = (1, 2)
    lanes: tuple[int, ...] = (1, 2, 4)
    lane_products: int = 64


FULL = Plan()
# The ratios in seconds, for CI. It leaves out what takes systems of its own, or long.
QUICK = Plan(
    crowd_requests=5_000,
    rounds=1,
    connections=(256,),
    subjects=("bare", "ours", "sold_out", "baseline"),
    closed_s=2.0,
    latency_rounds=1,
    overload_share=0.0,
    curve=(),
    bursts=1,
    burst_orders=20_000,
    scale_rounds=0,
)
