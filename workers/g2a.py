"""What the store buys from G2A: its catalogue, its stock, and the keys of orders that are paid.

Consumes  commands of the worker `g2a`; each group of them has a file of its own, named in HANDLERS below
Calls     G2A, by way of `workers/clients/g2a.py`
Writes    what those files say
Emits     a reply to each
Fails     as `workers/bus.py` says; what G2A refuses is told with the codes of its contract
"""

from typing import NamedTuple

from contract.auth_keys import PrivateKeys, private_keys
from contract.settings import Settings
from workers import g2a_keys, g2a_purchases, g2a_stock, g2a_sync
from workers.clients.g2a import G2A as Upstream
from workers.clients.g2a_adapters import open_g2a
from workers.service import Handler, Service
from workers.vault import Vault, open_vault


class Tools(NamedTuple):
    """What the handlers share: the client of G2A, what seals the keys of games, and what opens sealed bodies."""

    g2a: Upstream
    vault: Vault
    keys: PrivateKeys


def open_tools(settings: Settings) -> Tools:
    """Raises SettingsError where the settings do not say where G2A is, what it knows us by, or what seals."""
    keys, vault = private_keys(settings), open_vault(settings)
    return Tools(open_g2a(settings), vault, keys)


async def close_tools(tools: Tools) -> None:
    """Close what is open."""
    await tools.g2a.close()


HANDLERS: dict[str, Handler] = {
    **g2a_keys.HANDLERS,
    **g2a_purchases.HANDLERS,
    **g2a_stock.HANDLERS,
    **g2a_sync.HANDLERS,
}
G2A = Service("g2a", HANDLERS, open_tools, close_tools, query_file="bus")
