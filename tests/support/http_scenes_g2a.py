"""Scenes of the catalogue of G2A, whose sandbox does what each of them needs."""

from typing import Any

from tests.support.http_scenes_people import AS_ADMIN, JSON
from tests.support.http_stage import PRODUCTS, Prepare, Scene, Stage

FULL = '{"fullSync":true,"includeRelationships":true}'
KNOWN, OTHER, ABSENT = "10000000001000", "10000000001001", "99999999999999"
STOCK = "/api/admin/g2a/stock/"
ELSE_AT_WORK = """
    INSERT INTO g2a_syncs (id, kind, options) VALUES (gen_random_uuid(), 'incremental', '{}')
"""


def _goes_wrong(**fault: Any) -> Prepare:
    """The next request to G2A meets this fault, and no other does: what else is on the stage needs it well."""

    async def prepare(stage: Stage) -> None:
        await stage.sandbox.reset()
        await stage.sandbox.control(faults=[{"match": "GET /contract/*", **fault}])

    return prepare


async def _is_well(stage: Stage) -> None:
    await stage.sandbox.reset()
    await stage.sandbox.control(size=PRODUCTS, products=[{"id": KNOWN, "quantity": 12}])


async def _another_sync_is_at_work(stage: Stage) -> None:
    await stage.database.execute(ELSE_AT_WORK)


async def _none_is_at_work(stage: Stage) -> None:
    await stage.database.execute("DELETE FROM g2a_syncs WHERE ended_at IS NULL")
    await _goes_wrong(status=401, code="UNAUTHORIZED")(stage)


def _sync(status: int, example: str, body: str = FULL, prepare: Prepare | None = None) -> Scene:
    request = "POST /api/admin/g2a/sync"
    return Scene("syncG2A", status, example, request, body, (AS_ADMIN, JSON), "store", prepare)


def _stock(status: int, example: str, product: str = OTHER, prepare: Prepare | None = None) -> Scene:
    return Scene("readG2AStock", status, example, f"GET {STOCK}{product}", "", (AS_ADMIN,), "store", prepare)


SCENES = [
    _sync(200, "synced", prepare=_is_well),
    _sync(400, "bad-request", '{"productIds":[' + ",".join(f'"{number}"' for number in range(1001)) + "]}"),
    Scene("readG2AStatus", 200, "status", "GET /api/admin/g2a/status", "", (AS_ADMIN,), "store"),
    _stock(200, "stock", KNOWN),
    _stock(409, "g2a-out-of-stock", f"{KNOWN}?quantity=100"),
    _stock(400, "bad-request", f"{KNOWN}?quantity=none"),
    _stock(404, "g2a-product-not-found", ABSENT),
    _stock(429, "g2a-rate-limit", prepare=_goes_wrong(status=429, retry_after=60)),
    _stock(502, "refused", prepare=_goes_wrong(status=400)),
    _stock(503, "g2a-timeout", prepare=_goes_wrong(do="hang")),
    _sync(409, "sync-in-progress", prepare=_another_sync_is_at_work),
    _sync(502, "g2a-auth-failed", prepare=_none_is_at_work),
    _sync(429, "g2a-rate-limit", prepare=_goes_wrong(status=429, retry_after=60)),
    # The last: it is asked for again so often that G2A is left alone then.
    _stock(503, "g2a-api-error", prepare=_goes_wrong(status=500, times=5)),
]
