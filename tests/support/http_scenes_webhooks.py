"""Scenes of webhooks: signed when they are performed, for a signature is good for minutes."""

from tests.support.http_scenes_people import JSON
from tests.support.http_stage import Prepare, Scene, Stage
from tests.support.webhooks import Event, body_of, now_ms

KNOWN, UNKNOWN = "80201019921771", "80201019921772"
BODY = "{event}"
NOBODYS = "0" * 64
# It is over, so that nobody goes on with it.
INSERT_PURCHASE = """
    INSERT INTO g2a_purchases
        (id, order_id, game_id, number, product_id, quantity, price_max, state, upstream_id, reason)
    SELECT gen_random_uuid(), order_id, game_id, 999, '10000000788017', quantity, price, 'failed', $1, 'no stock'
    FROM store_order_items LIMIT 1
"""


def _signed(number: int, order_id: str = KNOWN, nonce: str = "", **more: str) -> Prepare:
    """An event is signed; `more` is part of it, or replaces what is right in it."""

    async def prepare(stage: Stage) -> None:
        given = Event(order_id, f"e-{number}", nonce or f"n-{number}", str(now_ms()), type="order.completed")
        stage.known[BODY] = body_of(given._replace(**more).members).decode()

    return prepare


async def _order_is_known(stage: Stage) -> None:
    await stage.database.execute(INSERT_PURCHASE, KNOWN)
    await _signed(1)(stage)


async def _without_its_nonce(stage: Stage) -> None:
    await _signed(4)(stage)
    stage.known[BODY] = stage.known[BODY].replace('"nonce": "n-4", ', "")


def _scene(status: int, example: str, prepare: Prepare | None = None, body: str = BODY, on: str = "store") -> Scene:
    return Scene("takeG2AEvent", status, example, "POST /api/webhooks/g2a", body, (JSON,), on, prepare)


SCENES = [
    _scene(200, "processed", _order_is_known),
    _scene(409, "event-already-processed"),
    _scene(200, "ignored", _signed(2, type="order.shipped")),
    _scene(202, "parked", _signed(3, UNKNOWN)),
    _scene(400, "bad-request", body='{"event_id":1}'),
    _scene(400, "missing-field", _without_its_nonce),
    _scene(400, "bad-timestamp", _signed(5, timestamp="1700000000000")),
    _scene(400, "bad-signature", _signed(6, signature=NOBODYS)),
    _scene(400, "replayed-nonce", _signed(7, nonce="n-1")),
    _scene(503, "service-unavailable", _signed(8), on="away"),
]
