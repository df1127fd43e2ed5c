"""What sellers have at Amazon: their accounts, and what is synced of them.

Consumes  commands of the worker `amazon`; each group of them has a file of its own, named in HANDLERS below
Calls     Amazon, by way of `workers/clients/amazon.py`
Writes    what those files say
Emits     a reply to each
Fails     as `workers/bus.py` says; a fault of Amazon ends no command, but is told by the sync that has met it
"""

from typing import NamedTuple

from contract.auth_keys import PrivateKeys, private_keys
from contract.settings import Settings
from workers import amazon_accounts, amazon_lists, amazon_sync
from workers.amazon_account_rows import token_keeper
from workers.amazon_places import Places
from workers.amazon_runs import AT_ONCE_MAX
from workers.bus import step_s
from workers.clients.amazon import Amazon
from workers.clients.amazon_adapters import open_amazon
from workers.service import Handler, Service
from workers.vault import Vault, open_vault


class Tools(NamedTuple):
    """What the handlers share: the client of Amazon, what seals the tokens of accounts, what opens sealed bodies, and
    the places of syncs that are at work at the same time."""

    amazon: Amazon
    vault: Vault
    keys: PrivateKeys
    places: Places


def open_tools(settings: Settings) -> Tools:
    """Raises SettingsError where the settings do not say where Amazon is, what it knows us by, or what seals."""
    keys, vault = private_keys(settings), open_vault(settings)
    amazon, places = open_amazon(settings, token_keeper(settings, vault)), Places(AT_ONCE_MAX, step_s(settings))
    return Tools(amazon, vault, keys, places)


async def close_tools(tools: Tools) -> None:
    """Close what is open."""
    await tools.amazon.close()


HANDLERS: dict[str, Handler] = {**amazon_accounts.HANDLERS, **amazon_lists.HANDLERS, **amazon_sync.HANDLERS}
AMAZON = Service("amazon", HANDLERS, open_tools, close_tools, query_file="bus")
