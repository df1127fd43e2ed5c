"""Hands flash-sale orders over to the store, in the transaction that writes their rows.

A live order of a known game leaves `take_flash_order` for the worker of the store, a cancelled one
`return_flash_order`. Whether its buyer is a user, Postgres tells as it writes them; an order of anybody else leaves
nothing.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from contract.settings import Settings
from sql import Connection
from workers.follow_ups import follow_up
from workers.worker import Context

Handed = tuple[str, str]
"""The id of an order, and its buyer."""


async def hand_over(context: Context, connection: Connection, live: Sequence[Handed], gone: Sequence[Handed]) -> None:
    """Leave the commands for orders that have become live, and for those that were and are cancelled."""
    wanted = [("take_flash_order", *handed) for handed in live] + [("return_flash_order", *handed) for handed in gone]
    if not wanted or not may_charge(context.settings):
        return
    commands = [follow_up(UUID(order_id), kind, user_id) for kind, order_id, user_id in wanted]
    columns = (
        [command.id for command in commands],
        [command.user_id for command in commands],
        [msgspec.json.encode(command).decode() for command in commands],
    )
    await connection.execute(context.queries["hand_over"], *("\n".join(column) for column in columns))


def may_charge(settings: Settings) -> bool:
    """Whether the buyer that a flash-sale order names may be charged for it: in production only where he has proven
    that it is him."""
    return settings.order_auth == "required" or settings.env == "development"
