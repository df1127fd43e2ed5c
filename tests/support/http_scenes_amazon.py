"""Scenes of Amazon: a seller connects his account, syncs it, and reads what came of it."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from chaos.waiting import until
from gateway.progress import OF_ONE_USER_MAX
from tests.support.http import get, post
from tests.support.http_scenes_people import AS_ANN, JSON
from tests.support.http_stage import Prepare, Scene, Stage
from tests.support.streams import streaming

AT = "/api/v1/integrations/amazon"
START, STATUS = f"POST {AT}/sync", "GET /api/sync/status"
STATE = "c" * 43
_CAME_BACK = f"state={STATE}&spapi_oauth_code=some&selling_partner_id=A1SANDBOXSELLER"
SLOW_MS = 1_000
"""How long Amazon takes for an answer while a sync shall go on."""


def _ann(stage: Stage) -> dict[str, str]:
    return {"Authorization": f"Bearer {stage.known['{ann}']}"}


async def _consents(stage: Stage) -> None:
    """Ann sets out, and Amazon's page sends her back."""
    begun: dict[str, Any] = (await get(stage.store, f"{AT}/auth/start", **_ann(stage))).json()
    asked = dict(parse_qsl(urlsplit(str(begun["authUrl"])).query))
    stage.known["{back}"] = urlencode(await stage.amazon.consent(asked["redirect_uri"], state=asked["state"]))


async def _comes_too_late(stage: Stage) -> None:
    """The code was used before."""
    await _consents(stage)
    code = dict(parse_qsl(stage.known["{back}"]))["spapi_oauth_code"]
    await stage.amazon.login(grant_type="authorization_code", code=code)


async def _amazon_is_slow(stage: Stage) -> None:
    await stage.amazon.control(latency_ms=SLOW_MS)


async def _watches_as_many_as_may_be(stage: Stage) -> None:
    """The streams end with the sync."""
    for _ in range(OF_ONE_USER_MAX):
        path = f"/api/sync/events/{stage.known['{sync}']}"
        await stage.stack.enter_async_context(streaming(stage.store, path, **_ann(stage)))


async def _is_synced(stage: Stage) -> None:
    """Another sync is begun, and completed."""
    await stage.amazon.control(latency_ms=0)
    begun = await post(stage.store, f"{AT}/sync", {}, **_ann(stage))
    stage.known["{sync}"] = begun.json()["syncId"]

    async def completed() -> bool:
        answer = await get(stage.store, f"/api/sync/status/{stage.known['{sync}']}", **_ann(stage))
        assert answer.json()["status"] in ("running", "completed"), answer
        return answer.json()["status"] == "completed"

    await until(completed, within_s=30)


def _scene(
    operation: str, status: int, example: str, request: str, prepare: Prepare | None = None, **more: Any
) -> Scene:
    given: dict[str, Any] = {"headers": (AS_ANN,), "on": "store"} | more
    return Scene(operation, status, example, request, prepare=prepare, **given)


def _start(status: int, example: str, prepare: Prepare | None = None, **more: Any) -> Scene:
    given: dict[str, Any] = {"body": "{}", "headers": (AS_ANN, JSON)} | more
    return _scene("startAmazonSync", status, example, START, prepare, **given)


def _back(status: int, example: str, query: str, prepare: Prepare | None = None, **more: Any) -> Scene:
    return _scene("finishAmazon", status, example, f"GET {AT}/auth/callback?{query}", prepare, **more)


def _list(operation: str, of: str, more: str = "") -> list[Scene]:
    at = f"GET {AT}/{of}?limit="
    return [
        _scene(operation, 200, "page", f"{at}1{more}"),
        _scene(operation, 400, "bad-request", f"{at}0"),
        _scene(operation, 400, "cursor-unknown", f"{at}1&cursor=none"),
    ]


SCENES = [
    _start(400, "amazon-not-connected"),
    _start(400, "bad-request", body=json.dumps({"userId": "somebody-else"})),
    _start(401, "unauthorized", headers=(JSON,)),
    _start(401, "invalid-token", headers=("Authorization: Bearer guess", JSON)),
    _scene("connectAmazon", 200, "begun", f"GET {AT}/auth/start"),
    _back(400, "consent-denied", f"error=access_denied&state={STATE}"),
    _back(400, "consent-unknown", _CAME_BACK),
    _back(400, "bad-request", f"state={STATE}"),
    _back(400, "consent-refused", "{back}", _comes_too_late),
    _back(303, "", "{back}", _consents, on="back"),
    _back(200, "connected", "{back}", _consents),
    _back(503, "service-unavailable", _CAME_BACK, on="away"),
    _start(200, "started", _amazon_is_slow, keep=(("{sync}", "syncId"),)),
    _start(409, "sync-in-progress"),
    _scene("watchSync", 429, "too-many-streams", "GET /api/sync/events/{sync}", _watches_as_many_as_may_be),
    _scene("cancelSync", 200, "cancelled", "POST /api/sync/cancel/{sync}"),
    _scene("cancelSync", 404, "sync-not-found", "POST /api/sync/cancel/some"),
    _scene("readSync", 200, "sync", f"{STATUS}/{{sync}}", _is_synced),
    _scene("readSync", 404, "sync-not-found", f"{STATUS}/some"),
    _scene("readNewestSync", 200, "newest", STATUS),
    _scene("readNewestSync", 200, "by-id", f"{STATUS}?syncId={{sync}}"),
    _scene("readNewestSync", 400, "bad-request", f"{STATUS}?syncId=one&id=other"),
    _scene("readNewestSync", 404, "sync-not-found", f"{STATUS}?id=some"),
    _scene("listSyncs", 200, "history", "GET /api/sync/history?limit=1"),
    _scene("listSyncs", 400, "bad-request", "GET /api/sync/history?limit=0"),
    _scene("watchSync", 200, "", "GET /api/sync/events/{sync}"),
    _scene("watchSync", 404, "sync-not-found", "GET /api/sync/events/some"),
    *_list("listClaims", "claims"),
    *_list("listInventory", "inventory"),
    *_list("listAmazonOrders", "orders", "&status=Shipped&channel=FBM"),
    _scene("readAmazonStatus", 200, "status", f"GET {AT}/status"),
    _scene("disconnectAmazon", 200, "disconnected", f"POST {AT}/disconnect"),
]
