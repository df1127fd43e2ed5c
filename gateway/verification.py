"""Verification: POST /api/verification/request and confirm, GET /api/verification/status and requests.

A user says who he is at Goated, and an administrator confirms it or does not. None of it is cached: it is of one user.
"""

import msgspec

from contract.goated import VerificationDecision, VerificationRequest
from gateway.asking import answered, read_document
from gateway.gate import Call
from gateway.goated import WORKER
from gateway.identity import admin, person
from gateway.replying import Reply

REQUEST_EXAMPLE = '{"goatedUid":"f5w3IYWYL79E8HntQuPs"}'
DECISION_EXAMPLE = '{"requestId":"019a6f3c-5e21-7000-9c41-8d2f6b7a1e05","approve":true}'
_requests = msgspec.json.Decoder(VerificationRequest)
_decisions = msgspec.json.Decoder(VerificationDecision)


async def request_verification(call: Call) -> Reply:
    """POST /api/verification/request: ask to be verified, as the person of `goatedUid` or of `goatedName`.

    201; 200 with the request that is pending where it is for the same person. 400; 401 for guests; 404 USER_NOT_FOUND;
    409 ALREADY_VERIFIED, VERIFICATION_PENDING (one for another person waits), AMBIGUOUS_NAME, TAKEN.
    """
    who = person(call)
    wanted = await read_document(call, _requests, REQUEST_EXAMPLE)
    return await answered(call, WORKER, "request_verification", wanted, who)


async def read_status(call: Call) -> Reply:
    """GET /api/verification/status: what became of the caller's newest request. 401 for guests."""
    return await answered(call, WORKER, "verification_status", {}, person(call))


async def confirm_verification(call: Call) -> Reply:
    """POST /api/verification/confirm: an administrator decides a request; the same decision again says the same.

    400; 401 for guests; 403 for who is no administrator; 404 VERIFICATION_NOT_FOUND; 409 VERIFICATION_EXPIRED,
    VERIFICATION_DECIDED (otherwise, before), ALREADY_VERIFIED, TAKEN.
    """
    who = admin(call)
    wanted = await read_document(call, _decisions, DECISION_EXAMPLE)
    return await answered(call, WORKER, "confirm_verification", wanted, who)


async def read_requests(call: Call) -> Reply:
    """GET /api/verification/requests: what waits for a decision, the oldest first, for administrators. 401, 403."""
    return await answered(call, WORKER, "list_verifications", {}, admin(call))
