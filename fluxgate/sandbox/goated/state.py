"""Everything that the sandbox remembers, in one place. It lives in memory only."""

from contract.settings import Settings
from contract.upstream_settings import GOATED_SANDBOX
from fluxgate.sandbox.faults import Faults
from fluxgate.sandbox.goated.clock import Clock
from fluxgate.sandbox.goated.control import Control
from fluxgate.sandbox.goated.leaderboard import Leaderboard
from fluxgate.sandbox.goated.tokens import Tokens
from fluxgate.sandbox.journal import Journal


class State:
    """One life of the sandbox, from start or reset to the next."""

    def __init__(self, settings: Settings) -> None:
        given = (settings.goated_code, settings.goated_token, settings.goated_refresh_token)
        self.code, token, refresh_token = (one or own for one, own in zip(given, GOATED_SANDBOX, strict=True))
        self.control = Control(users=settings.goated_sandbox_users)
        self.faults = Faults([])
        self.journal = Journal()
        self.clock = Clock(self.control)
        self.leaderboard = Leaderboard(self.control, self.clock)
        self.tokens = Tokens(self.control, token, refresh_token)
        # When the list was asked for last.
        self.asked_at: float | None = None
