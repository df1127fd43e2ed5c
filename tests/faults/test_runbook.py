"""The runbook, step by step: each alarm is raised for real, and the steps that the page names end it."""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest
import pytest_asyncio

import lua
from bench.children import ROOT
from chaos import victims
from chaos.faults.signals import still
from chaos.house import KEYS, House, embedded, redis_of
from chaos.sale import Sale, eventually
from contract.bus import BusCommand, new_command_id
from contract.settings import child_environ
from fluxgate.embedded import resolve
from sql import load_queries
from tests.support.http import get, init, order, request, send

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

STOCK = 50
# Of the alert GoatedStale.
STALE_S = 540


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with embedded(tmp_path_factory.mktemp("house"), gateway_processes=1) as opened:
        yield opened


async def run(house: House, *command: str) -> tuple[int, str]:
    """A command of the runbook: its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fluxgate", *command),
        cwd=ROOT,
        env=child_environ(house.settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def figures(house: House) -> dict[str, float]:
    """The metrics by name, with their labels as they stand there."""
    text = (await get(house.port, "/metrics")).body.decode()
    found = re.findall(r"^(fluxgate_\w+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


async def alarm(house: House, name: str, *, is_raised: bool, limit: float = 0.0) -> None:
    """Wait until a metric is above its limit, or no more."""

    async def so() -> bool:
        return ((await figures(house)).get(name, 0.0) > limit) is is_raised

    await eventually(so, f"{name} is {'above' if is_raised else 'back below'} {limit:g}")


async def opened(house: House, product: str) -> Sale:
    sale = Sale(house, product, STOCK, 1)
    await sale.open()
    return sale


async def test_not_ready(house: House) -> None:
    assert "fluxgate_outbox_backlog" in await figures(house)
    with still(victims.valkey(house.system)):
        assert (await get(house.port, "/readyz")).status == 503
        assert "fluxgate_outbox_backlog" not in await figures(house)
        code, said = await run(house, "doctor")
        assert (code, "Redis" in said) == (1, True)

    async def ready() -> bool:
        return (await get(house.port, "/readyz")).status == 200

    await eventually(ready, "it is ready again")
    assert (await run(house, "doctor"))[0] == 0


async def test_dead_letters(house: House) -> None:
    await opened(house, "letters")
    async with redis_of(house) as redis:
        await redis.xadd(KEYS.outbox, {"hello": "world"})
    await alarm(house, "fluxgate_dead_letters", is_raised=True)
    (entry,) = re.findall(r'"id": "(\d+-\d+)"', (await run(house, "dead", "list", "--json"))[1])
    assert "hello" in (await run(house, "dead", "show", entry))[1]
    code, said = await run(house, "dead", "drop", entry)
    assert (code, "hello" in said) == (0, True)
    await alarm(house, "fluxgate_dead_letters", is_raised=False)
    assert (await run(house, "dead", "drop", entry))[0] == 1


async def test_dead_letters_that_are_orders_are_handed_in_again_and_not_dropped(house: House) -> None:
    sale = await opened(house, "parked")
    await sale.drained()
    async with redis_of(house) as redis:
        with still(victims.order_worker(house.system)):
            answer = await order(house.port, "key-of-a-parked-order", "parked")
            ((entry_id, fields),) = await redis.xrange(KEYS.outbox)
            order_id = answer.json()["orderId"]
            letter = {"kind": "orders", "at": fields[b"at"], "name": order_id, "value": fields[order_id.encode()]}
            # As settling does it with a command that no worker could handle.
            await redis.xadd(KEYS.dead, {**letter, "reason": "tried in vain", "entry": entry_id})
            await redis.xdel(KEYS.outbox, entry_id)
    await alarm(house, "fluxgate_dead_letters", is_raised=True)
    (entry,) = re.findall(r'"id": "(\d+-\d+)"', (await run(house, "dead", "list", "--json"))[1])
    code, said = await run(house, "dead", "drop", entry)
    assert (code, f"dead replay {entry}" in said) == (1, True)
    assert (await run(house, "dead", "replay", entry))[0] == 0
    await alarm(house, "fluxgate_dead_letters", is_raised=False)
    await sale.drained()
    assert [row.order_id for row in await sale.rows()] == [order_id]


async def test_backlog_grows(house: House) -> None:
    sale = await opened(house, "waiting")
    await sale.drained()
    with still(victims.order_worker(house.system)):
        for number in range(STOCK):
            await order(house.port, f"key-of-order-{number:03}", "waiting")
        await alarm(house, "fluxgate_outbox_backlog", is_raised=True, limit=STOCK - 1)
        # It hangs: the next one takes over what it held.
        for worker in victims.order_worker(house.system):
            worker.kill()
    await alarm(house, "fluxgate_outbox_backlog", is_raised=False)
    assert len(await sale.rows()) == STOCK


async def test_no_proof(house: House) -> None:
    with still(victims.reaper(house.system)):
        async with redis_of(house) as redis:
            await redis.delete(KEYS.proof)
        assert "fluxgate_reconcile_unbalanced_sales" not in await figures(house)
        assert (await run(house, "reconcile"))[0] == 0
        for reaper in victims.reaper(house.system):
            reaper.kill()

    async def proven() -> bool:
        return "fluxgate_reconcile_unbalanced_sales" in await figures(house)

    await eventually(proven, "the books are proven again")


async def test_redis_has_lost_its_data(house: House) -> None:
    sale = await opened(house, "vanished")
    for number in range(3):
        assert (await order(house.port, f"key-of-buyer-{number:03}", "vanished")).status == 200
    await sale.drained()
    async with redis_of(house) as redis:
        await redis.flushall()
    await alarm(house, "fluxgate_reconcile_unbalanced_sales", is_raised=True)
    assert (await order(house.port, "key-of-buyer-003", "vanished")).status == 503
    code, said = await run(house, "reconcile", "--json")
    assert (code, "Redis has lost the" in said) == (1, True)
    assert (await init(house.port, "vanished", STOCK - 3)).status == 200
    assert (await order(house.port, "key-of-buyer-003", "vanished")).status == 200
    again = (await order(house.port, "key-of-buyer-000", "vanished")).json()["orderId"]
    await sale.drained()
    states = sorted(row.state for row in await sale.rows())
    assert states == ["failed", "persisted", "persisted", "persisted", "persisted"], "no second order of that key"
    assert (await order(house.port, "key-of-buyer-000", "vanished")).json()["orderId"] != again
    # The other sales of this house went with it; each is opened again, or stays an alarm.
    books = (await run(house, "reconcile", "--json"))[1]
    assert not re.search(r'"product_id": ?"vanished"[^}]*"fault": ?"[^"]', books)


async def test_books_unbalanced(house: House) -> None:
    sale = await opened(house, "trimmed")
    await sale.drained()
    async with redis_of(house) as redis:
        with still(victims.order_worker(house.system)):
            assert (await order(house.port, "key-of-a-lost-order", "trimmed")).status == 200
            await redis.xtrim(KEYS.outbox, maxlen=0)
            # What it had been given died with it, and the entry is gone.
            for worker in victims.order_worker(house.system):
                worker.kill()
    await alarm(house, "fluxgate_reconcile_lost_units", is_raised=True)
    code, said = await run(house, "reconcile")
    assert (code, "trimmed" in said) == (1, True)


async def test_dead_commands(house: House) -> None:
    command = BusCommand(id=new_command_id(), kind="of a later version", deadline_ms=1)
    async with redis_of(house) as redis:
        assert await lua.submit(redis, "auth", msgspec.json.encode(command), 10)
        assert await lua.submit(redis, "auth", b"no command", 10)
    await alarm(house, 'fluxgate_commands_dead{worker="auth"}', is_raised=True, limit=1)
    said = (await run(house, "dead", "list", "--queue", "auth", "--json"))[1]
    meant, nonsense = re.findall(r'"id": "(\d+-\d+)"', said)
    code, told = await run(house, "dead", "drop", meant, nonsense)
    assert (code, f"dead replay {meant} --queue auth" in told) == (1, True)
    assert (await run(house, "dead", "replay", meant, "--queue", "auth"))[0] == 0
    # This version knows the kind no better: it comes back.
    await alarm(house, 'fluxgate_commands_dead{worker="auth"}', is_raised=True)
    (again,) = re.findall(r'"id": "(\d+-\d+)"', (await run(house, "dead", "list", "--queue", "auth", "--json"))[1])
    assert (await run(house, "dead", "drop", again, "--force"))[0] == 0
    await alarm(house, 'fluxgate_commands_dead{worker="auth"}', is_raised=False)


async def test_commands_wait(house: House) -> None:
    worker = house.system.child("fluxgate worker auth")
    assert worker
    with still([worker]):
        command = BusCommand(id=new_command_id(), kind="of a later version")
        async with redis_of(house) as redis:
            assert await lua.submit(redis, "auth", msgspec.json.encode(command), 10)
        await alarm(house, 'fluxgate_commands_oldest_seconds{worker="auth"}', is_raised=True, limit=1)
        assert '"name": "auth"' in (await run(house, "queue", "--json"))[1]
        worker.kill()
    await alarm(house, 'fluxgate_commands_oldest_seconds{worker="auth"}', is_raised=False)
    letter = re.findall(r'"id": "(\d+-\d+)"', (await run(house, "dead", "list", "--queue", "auth", "--json"))[1])
    assert (await run(house, "dead", "drop", *letter, "--force"))[0] == 0


async def test_outbox_grows(house: House) -> None:
    with still(victims.reaper(house.system)):
        connection = await asyncpg.connect(resolve(house.settings).postgres_at)
        try:
            command = BusCommand(id=new_command_id(), kind="mail", attempt=2)
            row = (command.id, "goated", msgspec.json.encode(command), -60.0)
            await connection.execute(load_queries("bus")["leave_command"], *row)
        finally:
            await connection.close()
        assert '"late_s": 6' in (await run(house, "queue", "--json"))[1]
        for reaper in victims.reaper(house.system):
            reaper.kill()
    # It has left, and its worker does not know what it is.
    await alarm(house, 'fluxgate_commands_dead{worker="goated"}', is_raised=True)
    async with redis_of(house) as redis:
        await redis.delete(lua.dead_commands_key("goated"))


async def test_upstream_fails(house: House) -> None:
    """No G2A answers this house."""
    command = BusCommand(id=new_command_id(), kind="check_stock", body=msgspec.Raw(b'{"product_id":"10000000001000"}'))
    async with redis_of(house) as redis:
        assert await lua.submit(redis, "g2a", msgspec.json.encode(command), 10)

    async def fails() -> bool:
        # "refused", or "paused" where a sync that the schedule has begun has found the same.
        told = [name for name in await figures(house) if name.startswith("fluxgate_upstream_calls_total")]
        return any('call="find_product"' in name and 'outcome="200"' not in name for name in told)

    await eventually(fails, "a request to G2A is counted as failed")


async def test_syncs_fail_and_races_grow_old(house: House) -> None:
    """No Goated answers this house; that both end with a good sync is tried in `test_goated.py`."""
    await alarm(house, 'fluxgate_syncs_total{outcome="failed",upstream="goated"}', is_raised=True)
    good_at = (await figures(house))['fluxgate_sync_last_good_timestamp_seconds{upstream="goated"}']
    assert time.time() - good_at > STALE_S


async def test_webhooks_refused(house: House) -> None:
    told = {"event_id": "e", "order_id": "1", "type": "order.completed", "payload": {}, "signature": "00", "nonce": "n"}
    body = msgspec.json.encode({**told, "timestamp": str(int(time.time()))})
    answer = await send(house.port, request("POST", "/api/webhooks/g2a", body, Content_Type="application/json"))
    assert (answer.status, answer.json()["error"]["code"]) == (400, "BAD_SIGNATURE")
    of = 'route="/api/webhooks/g2a",status="400"}'
    (counted,) = [name for name in await figures(house) if name.startswith("fluxgate_http_") and name.endswith(of)]
    await alarm(house, counted, is_raised=True)


@pytest.mark.parametrize("name", re.findall(r"alert: (\w+)", (ROOT / "docs" / "alerts.yml").read_text()))
async def test_every_alert_asks_for_metrics_that_exist_and_has_its_place_in_the_runbook(
    house: House, name: str
) -> None:
    rules = (ROOT / "docs" / "alerts.yml").read_text()
    (expression,) = re.findall(rf"alert: {name}\n\s+expr: (.*)", rules)
    metrics = (await get(house.port, "/metrics")).body.decode()
    # One that nothing has happened to yet is described all the same.
    exported = set(re.findall(r"^(?:# HELP )?(fluxgate_\w+)", metrics, re.MULTILINE))
    assert set(re.findall(r"fluxgate_\w+", expression)) <= exported
    assert f"\n## {name}\n" in Path(ROOT / "docs" / "runbook.md").read_text()
