"""The schema: applied once, by whoever comes first, and strict about what a row may say."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sql import apply_schema, schema_files, schema_missing

ROOT = Path(__file__).parents[2]
APPLIERS = 4
ALONE = "import asyncio, sys; from sql import apply_schema; print(len(asyncio.run(apply_schema(sys.argv[1]))))"
ORDER_ID = "01a1fe17-0628-7007-b3c8-6890d92236bd"
SALE = {"product_id": "ps5", "epoch": 1, "total": 10, "max_per_user": 0, "sold": 0}
ORDER: dict[str, Any] = {
    "order_id": ORDER_ID,
    "product_id": "ps5",
    "epoch": 1,
    "user_id": "ann",
    "quantity": 1,
    "idempotency_key": "key",
    "state": "persisted",
    "reason": None,
    "place_ms": 1,
    "place_seq": 0,
}


async def test_it_applies_to_an_empty_database_and_a_second_time_does_nothing(empty_database: str) -> None:
    names = [path.name for path in schema_files()]
    assert await schema_missing(empty_database) == names
    assert await apply_schema(empty_database) == names
    assert await apply_schema(empty_database) == []
    assert await schema_missing(empty_database) == []


async def test_many_processes_at_once_apply_it_once(empty_database: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", ALONE, empty_database, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(APPLIERS)
    ]
    outputs = [(await process.communicate())[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * APPLIERS
    assert sorted(int(output) for output in outputs) == [0] * (APPLIERS - 1) + [len(schema_files())]


async def test_asking_what_is_missing_disturbs_nobody_who_applies(empty_database: str) -> None:
    asked = await asyncio.gather(
        *(apply_schema(empty_database) for _ in range(3)), *(schema_missing(empty_database) for _ in range(6))
    )
    assert sorted(map(len, asked[:3])) == [0, 0, len(schema_files())]


async def test_asking_what_is_missing_writes_nothing(empty_database: str) -> None:
    driver: Any = asyncpg
    await schema_missing(empty_database)
    connection = await driver.connect(empty_database)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


async def test_a_file_that_fails_leaves_nothing_of_any_behind(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "0001_fine.sql").write_text("CREATE TABLE fine (id bigint);")
    (tmp_path / "schema" / "0002_broken.sql").write_text("CREATE TABLE broken (id nonsense);")
    (tmp_path / "queries").symlink_to(ROOT / "sql" / "queries")
    monkeypatch.setattr("sql.FOLDER", tmp_path)
    with pytest.raises(asyncpg.UndefinedObjectError):
        await apply_schema(empty_database)
    assert await schema_missing(empty_database) == ["0001_fine.sql", "0002_broken.sql"]


async def insert(connection: Any, table: str, row: dict[str, Any], moment: str) -> None:
    """Insert a row whose time stands in the column `moment`."""
    columns, places = ", ".join(row), ", ".join(f"${i + 1}" for i in range(len(row)))
    await connection.execute(f"INSERT INTO {table} ({columns}, {moment}) VALUES ({places}, now())", *row.values())


@pytest.mark.parametrize(
    "change",
    [
        {"sold": 11},
        {"sold": -1},
        {"total": -1},
        {"epoch": 0},
        {"max_per_user": -1},
        {"product_id": ""},
        {"product_id": "x" * 129},
    ],
    ids=str,
)
async def test_a_sale_that_cannot_be_is_refused(connection: Any, change: dict[str, Any]) -> None:
    await insert(connection, "sales", {**SALE, "product_id": "sound"}, "opened_at")
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(connection, "sales", SALE | change, "opened_at")


async def test_a_sale_can_sell_all_it_has_and_no_more(connection: Any) -> None:
    await insert(connection, "sales", SALE | {"sold": 10}, "opened_at")
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("UPDATE sales SET sold = sold + 1")


@pytest.mark.parametrize(("left", "returned"), [(-2, 0), (0, -1)])
async def test_a_closing_that_cannot_be_is_refused(connection: Any, left: int, returned: int) -> None:
    insertion = "INSERT INTO sale_closings (product_id, epoch, closed_left, closed_returned) VALUES ('ps5', 1, $1, $2)"
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(insertion, left, returned)


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": 1_000_000_001},
        {"user_id": ""},
        {"user_id": "x" * 129},
        {"product_id": ""},
        {"idempotency_key": ""},
        {"idempotency_key": "x" * 256},
        {"state": "failed"},
        {"state": "persisted", "reason": "a reason without a failure"},
        {"state": "failed", "reason": "x" * 201},
        {"state": "cancelled"},
    ],
    ids=str,
)
async def test_an_order_that_cannot_be_is_refused(connection: Any, change: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(connection, "orders", ORDER | change, "accepted_at")


async def test_a_persisted_order_has_no_time_of_cancellation(connection: Any) -> None:
    await insert(connection, "orders", ORDER, "accepted_at")
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("UPDATE orders SET cancelled_at = now()")


async def test_a_buyers_key_makes_one_live_order_and_any_number_of_failed_ones(connection: Any) -> None:
    other = ORDER_ID[:-1] + "e"
    await insert(connection, "orders", ORDER, "accepted_at")
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(connection, "orders", ORDER | {"order_id": other}, "accepted_at")
    for last in "ef":
        failed = {"order_id": ORDER_ID[:-1] + last, "state": "failed", "reason": "duplicate"}
        await insert(connection, "orders", ORDER | failed, "accepted_at")
    await insert(connection, "orders", ORDER | {"order_id": ORDER_ID[:-1] + "0", "user_id": "bob"}, "accepted_at")
