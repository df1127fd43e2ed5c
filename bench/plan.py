"""How long the bench takes, and for what. Everything is bounded here."""

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one bench."""

    rounds: int = 3
    connections: tuple[int, ...] = (64, 256)
    # Seconds of one closed run that are measured, and those before them that are not.
    closed_s: float = 5.0
    warm_s: float = 1.0
    # Seconds of bare Granian at each number of connections; 0 leaves it out.
    bare_s: float = 3.0
    # Seconds of the open model, its share of the measured limit, and seconds of the idle control.
    open_s: float = 15.0
    open_share: float = 0.5
    open_connections: int = 256
    idle_s: float = 5.0
    # The crowd on a small stock.
    crowd_stock: int = 100
    crowd_requests: int = 20_000
    crowd_connections: int = 500
    # The share of the crowd's requests whose connection is cut as soon as they are sent.
    crowd_cut: float = 0.01
    # Units of a sale that must not sell out, and so the bound of the requests of one load.
    orders_max: int = 1_000_000


FULL = Plan()
QUICK = Plan(rounds=1, closed_s=2.0, warm_s=0.5, bare_s=0.0, open_s=3.0, idle_s=1.0, crowd_requests=5_000)
