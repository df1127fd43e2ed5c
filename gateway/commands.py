"""GET /api/commands/{id}: what came of a command that took longer than its client wanted to wait."""

import time

from contract.bus import decode_reply, is_command_id
from gateway.asking import pending
from gateway.auth import open_late
from gateway.envelope import enveloped, refuse
from gateway.gate import Call
from gateway.replies import COMMAND_WITHIN_S
from gateway.replying import Reply


async def read_command(call: Call) -> Reply:
    """The reply as it would have been at once; 202 while there is none; 404 when nothing is known of the command."""
    command_id, _, late_key = call.params["command_id"].partition(".")
    if not is_command_id(command_id):
        refuse(call.request_id, 404, "COMMAND_NOT_FOUND", "There is no such command.")
    kept = await call.gate.replies.find(command_id)
    # One that is young may not have been begun; an id of another time, past or future, is none of ours.
    if kept is None and abs(_age_s(command_id)) > COMMAND_WITHIN_S:
        refuse(call.request_id, 404, "COMMAND_NOT_FOUND", "Nothing is known of this command any more.")
    if not kept:
        return pending(call.params["command_id"])
    answer = decode_reply(kept)
    return open_late(call, answer, late_key) if late_key else enveloped(call.request_id, answer)


def _age_s(command_id: str) -> float:
    """How long ago an id of ours was made."""
    return time.time() - int(command_id[:8] + command_id[9:13], 16) / 1000
