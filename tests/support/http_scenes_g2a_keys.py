"""Scenes of keys: an order whose keys are there, one whose keys are not there yet, and one that will have none."""

from uuid import UUID

from sql import load_queries
from tests.support.http_scenes_people import AS_ANN
from tests.support.http_scenes_store import item, ordered
from tests.support.http_stage import Prepare, Scene, Stage
from workers.vault import open_vault

KEY = "ABCDE-FGHIJ-KLMNO"
READ = "GET /api/orders/{with_keys}/keys"
PURCHASE = """
    INSERT INTO g2a_purchases (id, order_id, game_id, number, product_id, quantity, price_max, state)
    VALUES ($1, $1, 'half-life', 1, '10000068865001', 1, 20, 'delivered')
"""


async def _has_money(stage: Stage) -> None:
    await stage.database.execute("UPDATE users SET balance = balance + 100 WHERE email = 'ann@shop.example'")


async def _are_delivered(stage: Stage) -> None:
    """G2A has delivered; the key is sealed as the worker would."""
    order_id = UUID(stage.known["{with_keys}"])
    await stage.database.execute(PURCHASE, order_id)
    sealed = open_vault(stage.sandbox.settings).seal(KEY, order_id, 1)
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
    Scene(
        "placeStoreOrder",
        201,
        "placed",
        *ordered(item("half-life", 1), key="Idempotency-Key: with-keys"),
        prepare=_has_money,
        keep=(("{with_keys}", "data.id"),),
    ),
    _read(409, "order-not-completed"),
    _read(200, "keys", prepare=_are_delivered),
    _read(409, "order-has-no-keys", prepare=_becomes("REFUNDED")),
    _read(404, "order-not-found", "GET /api/orders/42/keys"),
]
