"""Scenes of keys: an order whose keys are there, one whose keys are not there yet, and one that will have none."""

from uuid import UUID

from contract.bus import new_command_id
from sql import load_queries
from tests.support.http_scenes_people import AS_ANN
from tests.support.http_stage import Prepare, Scene, Stage
from workers.vault import open_vault, place_of_key

KEY = "ABCDE-FGHIJ-KLMNO"
READ = "GET /api/orders/{with_keys}/keys"
ORDER = """
    INSERT INTO store_orders (id, user_id, subtotal, total, idempotency_key)
    SELECT $1, id, 19.99, 19.99, 'with-keys' FROM users WHERE email = 'ann@shop.example'
"""
ITEM = "INSERT INTO store_order_items (order_id, game_id, quantity, price) VALUES ($1, 'half-life', 1, 19.99)"
PURCHASE = """
    INSERT INTO g2a_purchases (id, order_id, game_id, number, product_id, quantity, price_max, state)
    VALUES ($1, $1, 'half-life', 1, '10000068865001', 1, 20, 'delivered')
"""


async def _is_paid(stage: Stage) -> None:
    """Ann has ordered a game and paid for it."""
    stage.known["{with_keys}"] = new_command_id()
    await stage.database.execute(ORDER, UUID(stage.known["{with_keys}"]))
    await stage.database.execute(ITEM, UUID(stage.known["{with_keys}"]))
    await _becomes("PROCESSING")(stage)


async def _are_delivered(stage: Stage) -> None:
    """G2A has delivered; the key is sealed as the worker would."""
    order_id = UUID(stage.known["{with_keys}"])
    await stage.database.execute(PURCHASE, order_id)
    sealed = open_vault(stage.sandbox.settings).seal(KEY, place_of_key(order_id, 1))
    await stage.database.execute(load_queries("g2a_purchases")["add_keys"], order_id, [sealed])
    await _becomes("COMPLETED")(stage)


def _becomes(status: str) -> Prepare:
    async def prepare(stage: Stage) -> None:
        text = "UPDATE store_orders SET status = $2::text::store_order_status WHERE id = $1"
        await stage.database.execute(text, UUID(stage.known["{with_keys}"]), status)

    return prepare


def _read(status: int, example: str, order: str = READ, prepare: Prepare | None = None) -> Scene:
    return Scene("readKeys", status, example, order, headers=(AS_ANN,), on="store", prepare=prepare)


SCENES = [
    _read(409, "order-not-completed", prepare=_is_paid),
    _read(200, "keys", prepare=_are_delivered),
    _read(409, "order-has-no-keys", prepare=_becomes("REFUNDED")),
    _read(404, "order-not-found", "GET /api/orders/42/keys"),
]
