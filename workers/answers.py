"""Answers what became of orders that Redis has forgotten.

Consumes  questions for the orders worker: an order id each, of any lane
Calls     nothing
Writes    the order's record in Redis, as if it had just been settled
Emits     the record to who asked; nothing where there is no such order
Fails     by silence: who asks has a deadline, and asks again
"""

import asyncio
import uuid
from collections.abc import Mapping

import lua
from contract.order_ids import parse_order_id
from contract.transport import Question, answer_questions, read_questions
from workers.consumer import until_it_works
from workers.records import row_record
from workers.worker import Context

QUESTIONS_AT_ONCE = 500


async def run(context: Context, group: str, consumer: str, stop: asyncio.Event) -> None:
    """Answer until `stop` is set."""
    stream = lua.questions_key(group)
    while not stop.is_set():
        questions = await until_it_works(
            lambda: read_questions(context.redis, stream, group, consumer, QUESTIONS_AT_ONCE), context, stop
        )
        if questions:
            await until_it_works(lambda asked=questions: answer(context, asked), context, stop)


async def answer(context: Context, questions: list[Question]) -> int:
    """Answer a batch with one look into Postgres; gives how many orders were found."""
    asked = [question for question in questions if not question.expired and _is_order_id(question.body)]
    if not asked:
        return 0
    # What Postgres says now may be told as long as a settled record lives, and no longer: a younger one, of a
    # cancellation that came meanwhile, could have lapsed by then.
    until_ms = await lua.now_ms(context.redis) + context.settings.idempotency_ttl_s * 1000
    async with context.pool.acquire() as connection:
        ids = [question.body.decode() for question in asked]
        rows = await connection.fetch(context.queries["find_orders"], ids)
    records = {str(row["order_id"]): row_record(row) for row in rows}
    # A failed order keeps no record: its key belongs to the order that it made first.
    kept = {str(row["order_id"]): row_record(row) for row in rows if row["reason"] is None}
    for keys in lua.every_lane(context.settings.lanes):
        if own := _in_lane(keys, kept):
            await lua.restore_records(context.redis, keys, own, until_ms)
    await answer_questions(context.redis, [(question, records.get(question.body.decode(), b"")) for question in asked])
    return len(records)


def _is_order_id(body: bytes) -> bool:
    try:
        return str(uuid.UUID(body.decode())) == body.decode()
    except (ValueError, UnicodeDecodeError):
        return False


def _in_lane(keys: lua.LaneKeys, records: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of the records, by digest, whose orders this lane answers for."""
    places = {order_id: parse_order_id(order_id) for order_id in records}
    return {
        place[1]: records[order_id]
        for order_id, place in places.items()
        if place and lua.lane_of_order(place[0], keys.count) == keys.lane
    }
