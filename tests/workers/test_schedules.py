"""What the schedules do: they forget what nobody needs any more, and nothing else."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest

import lua
from contract.bus import FIELD, BusCommand, decode_command, new_command_id
from contract.g2a import SyncBody
from contract.settings import Settings
from tests.support.processes import running, stop
from tests.support.waiting import becomes, leave, none_waits, open_context
from workers import schedules
from workers.scheduler import next_due
from workers.schedules import HANDLED_DAYS, SCHEDULES, TooManyReturn, forget_guests, forget_handled, forget_logins
from workers.worker import Context

DAY_MS = 86_400_000


@pytest.fixture
async def context(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    """No commands handled, and pages so small that there are several of them."""
    monkeypatch.setattr(schedules, "PAGE_ROWS", 2)
    async with open_context(settings) as opened:
        await opened.pool.execute("TRUNCATE handled_commands")
        yield opened


async def handled(context: Context, days_ago: float) -> str:
    """A command that was made and handled so long ago; gives its id."""
    number = UUID(new_command_id()).int - (int(days_ago * DAY_MS) << 80)
    await context.pool.execute(
        "INSERT INTO handled_commands (command_id, reply, handled_at)"
        " VALUES ($1, '', now() - make_interval(secs => $2))",
        UUID(int=number),
        days_ago * 86_400,
    )
    return str(UUID(int=number))


async def known(context: Context) -> set[str]:
    """The commands that are known to have been handled."""
    return {str(row["command_id"]) for row in await context.pool.fetch("SELECT command_id FROM handled_commands")}


async def put(context: Context, stream: str, command_id: str) -> None:
    """Put a command into a stream."""
    command = msgspec.json.encode(BusCommand(id=command_id, kind="test"))
    await cast(Any, context.redis).xadd(stream, {FIELD: command, "reason": "any"})


async def test_replies_of_long_ago_are_forgotten_and_younger_ones_kept(context: Context) -> None:
    for _ in range(5):
        await handled(context, HANDLED_DAYS + 1)
    young = await handled(context, HANDLED_DAYS - 1)
    await forget_handled(context)
    assert await known(context) == {young}


async def test_a_command_that_may_come_again_is_known_however_old_it_is(context: Context) -> None:
    dead, in_stream, in_outbox, gone = [await handled(context, HANDLED_DAYS + 100) for _ in range(4)]
    for other in range(3):
        await put(context, lua.dead_commands_key("orders"), f"{other}")
    await put(context, lua.dead_commands_key("orders"), dead)
    await put(context, lua.commands_key("webhooks"), in_stream)
    await leave(context.pool, "auth", 3600.0, in_outbox)
    await forget_handled(context)
    assert await known(context) == {dead, in_stream, in_outbox}
    assert gone not in await known(context)


async def test_nothing_is_forgotten_when_more_may_come_again_than_can_be_looked_at(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "RETURNING_MAX", 1)
    every = {await handled(context, HANDLED_DAYS + 1) for _ in range(3)}
    for own in list(every)[:2]:
        await put(context, lua.dead_commands_key("g2a"), own)
    with pytest.raises(TooManyReturn):
        await forget_handled(context)
    assert await known(context) == every


async def test_logins_that_have_ended_are_forgotten(context: Context) -> None:
    user = new_command_id()
    await context.pool.execute(
        "INSERT INTO users (id, email, password_hash, nickname) VALUES ($1, $2, 'any', 'any')", user, f"{user}@example"
    )
    for days in (-1, -2, -3, 1):
        await context.pool.execute(
            "INSERT INTO logins (id, user_id, created_at, expires_at)"
            " VALUES (gen_random_uuid(), $1, now() - interval '9 days', now() + make_interval(days => $2))",
            user,
            days,
        )
    await forget_logins(context)
    left = await context.pool.fetch("SELECT expires_at > now() AS good FROM logins WHERE user_id = $1", user)
    assert [row["good"] for row in left] == [True]


async def test_syncs_with_amazon_of_long_ago_and_consents_that_nobody_gave_are_forgotten(context: Context) -> None:
    user = new_command_id()
    await context.pool.execute(
        "INSERT INTO users (id, email, password_hash, nickname) VALUES ($1, $2, 'any', 'any')", user, f"{user}@example"
    )
    for days in (-200, -190, -181, -179):
        await context.pool.execute(
            "INSERT INTO sync_progress (id, sync_id, user_id, status, current_step, until, completed_at)"
            " VALUES (gen_random_uuid(), $1, $2, 'failed', 'any', now(), now() + make_interval(days => $3))",
            f"sync{days}",
            user,
            days,
        )
    for digest, days in ((b"a" * 32, -1), (b"b" * 32, 1)):
        await context.pool.execute(
            "INSERT INTO amazon_consents VALUES ($1, $2, now() + make_interval(days => $3))", digest, user, days
        )
    await schedules.forget_amazon(context)
    left = await context.pool.fetch("SELECT sync_id FROM sync_progress WHERE user_id = $1", user)
    assert [row["sync_id"] for row in left] == ["sync-179"]
    left = await context.pool.fetch("SELECT digest FROM amazon_consents WHERE user_id = $1", user)
    assert [row["digest"] for row in left] == [b"b" * 32]


async def test_what_guests_have_left_is_forgotten(context: Context) -> None:
    old, young = UUID(new_command_id()).hex, UUID(new_command_id()).hex
    for guest, days in ((old, 90), (young, 0)):
        for _ in range(3):
            game = new_command_id()
            await context.pool.execute("INSERT INTO games (id, title, price, stock) VALUES ($1, 'any', 1, 1)", game)
            await context.pool.execute(
                "INSERT INTO wishlists (owner_kind, owner_id, game_id, added_at)"
                " VALUES ('session', $1, $2, now() - make_interval(days => $3))",
                guest,
                game,
                days,
            )
    await forget_guests(context)
    left = await context.pool.fetch("SELECT owner_id FROM wishlists WHERE owner_id = ANY($1::text[])", [old, young])
    assert [row["owner_id"] for row in left] == [young] * 3


@pytest.mark.parametrize(("schedule", "is_full"), [(schedules.sync_changed, False), (schedules.sync_all, True)])
async def test_a_sync_of_g2a_is_asked_for_with_its_labels_and_not_for_ever(
    context: Context, schedule: Any, is_full: bool
) -> None:
    await schedule(context)
    (row,) = await context.pool.fetch("SELECT worker, command FROM outbox")
    command = decode_command(row["command"])
    wanted = msgspec.json.decode(command.body, type=SyncBody)
    assert (row["worker"], command.kind, command.role, command.reply_to) == ("g2a", "sync", "ADMIN", "")
    assert (wanted.full_sync, wanted.include_relationships) == (is_full, True)
    assert command.deadline_ms > time.time() * 1000


@pytest.mark.parametrize("missing", [{}, {"g2a_url": "https://g2a.example"}])
async def test_where_g2a_is_not_configured_no_sync_is_asked_for(context: Context, missing: dict[str, str]) -> None:
    settings = msgspec.structs.replace(context.settings, env="production", **missing)
    await schedules.sync_all(context._replace(settings=settings))
    assert await none_waits(context)


async def test_a_sync_of_goated_is_asked_for_where_there_is_a_goated_and_not_for_ever(context: Context) -> None:
    production = msgspec.structs.replace(context.settings, env="production")
    await schedules.sync_goated(context._replace(settings=production))
    assert await none_waits(context)
    await schedules.sync_goated(context)
    (row,) = await context.pool.fetch("SELECT worker, command FROM outbox")
    command = decode_command(row["command"])
    assert (row["worker"], command.kind, command.role, command.reply_to) == ("goated", "sync", "ADMIN", "")
    assert 0 < command.deadline_ms - time.time() * 1000 < 300_000


async def test_fetches_of_long_ago_are_forgotten(context: Context) -> None:
    for days in (31, 40, 50, 29):
        await context.pool.execute(
            "INSERT INTO goated_syncs (id, began_at) VALUES (gen_random_uuid(), now() - make_interval(days => $1))",
            days,
        )
    await schedules.forget_goated(context)
    left = "DELETE FROM goated_syncs RETURNING began_at > now() - interval '30 days' AS is_young"
    assert [row["is_young"] for row in await context.pool.fetch(left)] == [True]


def test_every_schedule_has_a_name_of_its_own_and_comes_at_least_daily() -> None:
    assert len({schedule.name for schedule in SCHEDULES}) == len(SCHEDULES)
    now = datetime.now(UTC)
    assert all(0 < (next_due(schedule, now) - now).total_seconds() <= 86_400 for schedule in SCHEDULES)


@pytest.mark.slow
async def test_the_reaper_keeps_all_of_them(context: Context) -> None:
    async def there() -> bool:
        names = [row["name"] for row in await context.pool.fetch("SELECT name FROM schedules WHERE due_at > now()")]
        return set(names) == {schedule.name for schedule in SCHEDULES}

    async with running(context.settings, "reaper") as process:
        await becomes(there, "every schedule has its due time")
        assert await stop(process) == 0
