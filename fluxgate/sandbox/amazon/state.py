"""Everything that the sandbox remembers, in one place. It lives in memory only."""

import time

from contract.settings import Settings
from fluxgate.sandbox.amazon.control import SELLER, SELLERS_MAX, Control
from fluxgate.sandbox.amazon.paging import Pages
from fluxgate.sandbox.amazon.rates import Rates
from fluxgate.sandbox.amazon.seller import Seller
from fluxgate.sandbox.amazon.tokens import Tokens
from fluxgate.sandbox.faults import Faults
from fluxgate.sandbox.journal import Journal
from fluxgate.sandbox.replies import Refused


class State:
    """One life of the sandbox, from start or reset to the next."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started = int(time.time())
        self.control = Control()
        self.faults = Faults([])
        self.journal = Journal()
        self.rates = Rates(self.control)
        self.tokens = Tokens(settings, self.control)
        self.pages = Pages(self.control)
        self.sellers: dict[str, Seller] = {}
        # When a seller's operation was asked for last.
        self.asked_at: dict[tuple[str, str], float] = {}

    def seller(self, seller_id: str = SELLER) -> Seller:
        """A seller and what he has. Raises Refused where there are too many."""
        if seller_id not in self.sellers:
            if len(self.sellers) >= SELLERS_MAX:
                raise Refused(503, "", f"The sandbox has {SELLERS_MAX} sellers; reset it.")
            self.sellers[seller_id] = Seller(seller_id, self.control, self.started)
        return self.sellers[seller_id]
