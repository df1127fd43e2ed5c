"""Scenes of verification: Ann says who she is at Goated, and an administrator decides."""

import json
from typing import Any

from contract.bus import new_command_id
from gateway.openapi.races import ANNIKA, GARETH
from tests.support.http import post
from tests.support.http_scenes_people import AS_ADMIN, AS_ANN, JSON, PASSWORD
from tests.support.http_stage import Prepare, Scene, Stage

REQUEST, CONFIRM = "POST /api/verification/request", "POST /api/verification/confirm"
STATUS, REQUESTS = "GET /api/verification/status", "GET /api/verification/requests"
TWIN = "twin"


async def _two_have_one_name(stage: Stage) -> None:
    for uid in ("one-twin", "other-twin"):
        await stage.database.execute("INSERT INTO goated_members (uid, name) VALUES ($1, $2)", uid, TWIN)


async def _somebody_else_comes(stage: Stage) -> None:
    account = {"email": "zoe@shop.example", "password": PASSWORD}
    answer = await post(stage.store, "/api/auth/register", account)
    assert answer.status == 201, answer
    stage.known["{zoe}"] = answer.json()["data"]["token"]


async def _nobody_decides_in_time(stage: Stage) -> None:
    """Zoe has asked, and nobody has looked."""
    given = {"Authorization": f"Bearer {stage.known['{zoe}']}"}
    answer = await post(stage.store, "/api/verification/request", {"goatedUid": GARETH}, **given)
    assert answer.status == 201, answer
    stage.known["{late}"] = answer.json()["data"]["requestId"]
    await stage.database.execute("UPDATE goated_verifications SET expires_at = now() WHERE status = 'pending'")


def _request(status: int, example: str, prepare: Prepare | None = None, who: str = AS_ANN, **wanted: str) -> Scene:
    body = json.dumps(wanted, separators=(",", ":"))
    keep = (("{verification}", "data.requestId"),) if status == 201 else ()
    return Scene("requestVerification", status, example, REQUEST, body, (who, JSON), "store", prepare, keep=keep)


def _decide(status: int, example: str, prepare: Prepare | None = None, **decision: Any) -> Scene:
    body = json.dumps(decision, separators=(",", ":"))
    return Scene("decideVerification", status, example, CONFIRM, body, (AS_ADMIN, JSON), "store", prepare)


_DECISION: dict[str, Any] = {"requestId": "{verification}", "approve": True, "reason": "By letter."}
SCENES = [
    Scene("readVerification", 200, "none", STATUS, "", (AS_ANN,), "store"),
    _request(400, "bad-request"),
    _request(404, "user-not-found", goatedName="nobody"),
    _request(409, "ambiguous-name", _two_have_one_name, goatedName=TWIN),
    _request(201, "asked", goatedUid=ANNIKA),
    _request(200, "asked", goatedUid=ANNIKA),
    _request(409, "verification-pending", goatedUid=GARETH),
    Scene("listVerifications", 200, "asked", REQUESTS, "", (AS_ADMIN,), "store"),
    _decide(400, "bad-request", approve=True),
    _decide(404, "verification-not-found", requestId=new_command_id()),
    _decide(200, "decided", **_DECISION),
    _decide(409, "verification-decided", **(_DECISION | {"approve": False})),
    Scene("readVerification", 200, "verified", STATUS, "", (AS_ANN,), "store"),
    _request(409, "already-verified", goatedUid=ANNIKA),
    _request(409, "taken", _somebody_else_comes, "Authorization: Bearer {zoe}", goatedUid=ANNIKA),
    _decide(409, "verification-expired", _nobody_decides_in_time, requestId="{late}"),
]
