"""What there is of Goated: the leaderboard of its affiliate program, the races of its months, and who is who there.

Consumes  commands of the worker `goated`; each group of them has a file of its own, named in HANDLERS below
Calls     Goated, by way of `workers/clients/goated.py`
Writes    what those files say
Emits     a reply to each
Fails     as `workers/bus.py` says; a fault of Goated changes nothing of what is kept, and of what is told of it only
          that it is old
"""

from decimal import Decimal
from typing import NamedTuple

from contract.settings import Settings
from workers import goated_reads, goated_sync, goated_users, verification
from workers.clients.goated import Goated
from workers.clients.goated_adapters import open_goated
from workers.goated_prizes import read_shares
from workers.goated_races import read_zone
from workers.goated_writing import Terms
from workers.service import Handler, Service

WITHIN_S = 60.0
"""A fetch takes up to 24 s, and to write a leaderboard of 100,000 people for the first time 20 s on a busy machine."""


class Tools(NamedTuple):
    """What the handlers share: the client of Goated, and the terms of races that are still to be opened."""

    goated: Goated
    terms: Terms


def open_tools(settings: Settings) -> Tools:
    """Raises SettingsError where the settings do not say where Goated is, or where no race can be held by them."""
    terms = Terms(
        read_zone(settings.goated_zone), read_shares(settings.goated_prizes), Decimal(settings.goated_prize_pool)
    )
    return Tools(open_goated(settings), terms)


async def close_tools(tools: Tools) -> None:
    """Close what is open."""
    await tools.goated.close()


HANDLERS: dict[str, Handler] = {
    **goated_reads.HANDLERS,
    **goated_sync.HANDLERS,
    **goated_users.HANDLERS,
    **verification.HANDLERS,
}
GOATED = Service("goated", HANDLERS, open_tools, close_tools, query_file="bus", within_s=WITHIN_S)
