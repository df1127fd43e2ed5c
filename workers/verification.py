"""Verification: who of our users is who at Goated. A user says it, and an administrator confirms it or does not.

Consumes  request_verification, verification_status, confirm_verification and list_verifications, as commands of the
          worker `goated`
Calls     nothing
Writes    goated_verifications
Emits     a reply to each
Fails     with 404 and 409 for what cannot be asked or decided, with 403 for who may not decide. A request that nobody
          has decided in REQUEST_S has expired, by the clock of Postgres; all indexes of the table stand behind this
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from contract.bus import BusCommand, is_command_id, new_command_id
from contract.goated import VerificationDecision, VerificationRequest
from sql import Connection, load_queries
from workers.goated_races import told
from workers.goated_users import PROFILES
from workers.once import once
from workers.service import Desk, Ending, Handler, Refuse, Replied, replied

QUERIES = load_queries("verification")
REQUEST_S = 7 * 86_400.0
"""How long a request stands: an administrator looks once a week."""
LISTED_MAX = 100
"""Requests that are shown at a time; who has decided these sees the next."""
OPERATOR = "operator"
"""Who decides by the operator's key, and is nobody's user."""
Row = Mapping[str, Any]

_requests = msgspec.json.Decoder(VerificationRequest)
_decisions = msgspec.json.Decoder(VerificationDecision)


async def request_verification(desk: Desk, command: BusCommand) -> Ending:
    """Ask to be verified. 201; 200 with the request that is pending where it is for the same person; 404, 409."""
    wanted = _requests.decode(command.body)

    async def work(connection: Connection) -> Replied:
        if not await connection.fetchval(QUERIES["lock_user"], command.user_id):
            raise Refuse(401, "UNAUTHORIZED", "There is no such user any more. Log in again.", action="log_in")
        await connection.execute(QUERIES["lock_requests"])
        await connection.execute(QUERIES["expire_requests"])
        member = await _find_member(connection, wanted)
        standing = await connection.fetch(QUERIES["find_standing_requests"], command.user_id, member["uid"])
        if pending := _in_the_way(standing, command.user_id, member["uid"]):
            return replied(_request(pending, member))
        own = (UUID(new_command_id()), command.user_id, member["uid"], REQUEST_S)
        return replied(_request(await connection.fetchrow(QUERIES["add_request"], *own), member), status=201)

    return await once(desk, command, work)


async def verification_status(desk: Desk, command: BusCommand) -> Ending:
    """What became of the newest request of whoever asks; `none` where there never was one."""
    row = await desk.pool.fetchrow(QUERIES["find_newest"], command.user_id)
    return replied(
        {
            "status": row["status"] if row else "none",
            "uid": row and row["uid"],
            "name": row and row["name"],
            "requestId": row and row["id"],
            "requestedAt": row and told(row["requested_at"]),
            "expiresAt": row and told(row["expires_at"]),
            "decidedAt": told(row["decided_at"]) if row and row["decided_at"] else None,
            "reason": row and row["reason"],
        }
    )


async def confirm_verification(desk: Desk, command: BusCommand) -> Ending:
    """Decide a request, as an administrator; the same decision again says the same. 403, 404, 409."""
    _check_admin(command)
    wanted = _decisions.decode(command.body)
    if not is_command_id(wanted.request_id):
        raise _unknown()
    request_id, status = UUID(wanted.request_id), "verified" if wanted.approve else "rejected"

    async def work(connection: Connection) -> Replied:
        await connection.execute(QUERIES["lock_requests"])
        await connection.execute(QUERIES["expire_requests"])
        row = await connection.fetchrow(QUERIES["find_request"], request_id)
        if row is None:
            raise _unknown()
        if row["status"] == "pending":
            if wanted.approve:
                standing = await connection.fetch(QUERIES["find_standing_requests"], row["user_id"], row["uid"])
                _check_free(standing, row["user_id"])
            own = (request_id, status, command.user_id or OPERATOR, wanted.reason)
            await connection.execute(QUERIES["decide_request"], *own)
        elif row["status"] != status:
            raise _decided(row["status"])
        shown = {"requestId": row["id"], "status": status, "userId": row["user_id"], "uid": row["uid"]}
        return replied(shown, stale=(PROFILES,))

    return await once(desk, command, work)


async def list_verifications(desk: Desk, command: BusCommand) -> Ending:
    """The requests that wait for a decision, for administrators: the oldest LISTED_MAX, and how many there are. 403."""
    _check_admin(command)
    rows = await desk.pool.fetch(QUERIES["list_pending"], LISTED_MAX)
    requests = [{**_request(row, row), "userId": row["user_id"]} for row in rows]
    return replied({"requests": requests, "total": rows[0]["total"] if rows else 0})


async def _find_member(connection: Connection, wanted: VerificationRequest) -> Row:
    """Who is meant. Raises Refuse: 404 where nobody is, 409 where several are."""
    if wanted.goated_uid:
        found: Sequence[Row] = await connection.fetch(QUERIES["find_member"], wanted.goated_uid)
    else:
        found = await connection.fetch(QUERIES["find_members_of_name"], wanted.goated_name)
    if not found:
        message = "Nobody on the leaderboard of Goated is called that. It is fetched every few minutes."
        raise Refuse(404, "USER_NOT_FOUND", message)
    if len(found) > 1:
        message = "Several people at Goated have this name. Send goatedUid instead."
        raise Refuse(409, "AMBIGUOUS_NAME", message, action="correct_request")
    return found[0]


def _in_the_way(standing: Sequence[Row], user_id: str, uid: str) -> Row | None:
    """The request that this one repeats. Raises Refuse with 409 for what stands in the way of another."""
    _check_free(standing, user_id)
    pending = next((row for row in standing if row["status"] == "pending"), None)
    if pending is not None and pending["uid"] != uid:
        message = "A request of yours to be somebody else waits for a decision. Wait for that, or until it expires."
        raise Refuse(409, "VERIFICATION_PENDING", message, action="retry_later")
    return pending


def _check_free(standing: Sequence[Row], user_id: str) -> None:
    """Raises Refuse with 409 where the user is verified already, or somebody else as the person that he wants to be."""
    verified = [row["user_id"] for row in standing if row["status"] == "verified"]
    if user_id in verified:
        raise Refuse(409, "ALREADY_VERIFIED", "This user has been verified already.", action="none")
    if verified:
        message = "Another user has been verified as this person."
        raise Refuse(409, "TAKEN", message, action="contact_support")


def _check_admin(command: BusCommand) -> None:
    if command.role != "ADMIN":
        raise Refuse(403, "FORBIDDEN", "Only an administrator may decide who is who.")


def _request(row: Row, member: Row) -> dict[str, Any]:
    return {
        "requestId": row["id"],
        "status": "pending",
        "uid": member["uid"],
        "name": member["name"],
        "requestedAt": told(row["requested_at"]),
        "expiresAt": told(row["expires_at"]),
    }


def _unknown() -> Refuse:
    return Refuse(404, "VERIFICATION_NOT_FOUND", "There is no request of this id.")


def _decided(status: str) -> Refuse:
    if status == "expired":
        message = "This request has expired. The user may ask again."
        return Refuse(409, "VERIFICATION_EXPIRED", message, action="begin_again")
    return Refuse(409, "VERIFICATION_DECIDED", f"This request has been {status} before.", action="none")


HANDLERS: dict[str, Handler] = {
    "request_verification": request_verification,
    "verification_status": verification_status,
    "confirm_verification": confirm_verification,
    "list_verifications": list_verifications,
}
