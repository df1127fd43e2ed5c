"""The named queries: each is sound SQL for this schema, and a careless file is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

import sql
from sql import QueryError, load_queries

FILES = sorted(path.stem for path in (sql.FOLDER / "queries").glob("*.sql"))


@pytest.mark.parametrize("name", FILES)
async def test_every_query_can_be_prepared_with_the_parameters_that_it_tells(connection: Any, name: str) -> None:
    queries = load_queries(name)
    async with connection.transaction():
        # Tables of a transaction's own are there for all of its queries.
        for text in queries.values():
            if "CREATE TEMP TABLE" in text:
                await connection.execute(text)
        for title, text in queries.items():
            prepared = await connection.prepare(text)
            comment = " ".join(line for line in text.splitlines() if line.startswith("--"))
            told = {int(number) for number in re.findall(r"\$(\d+) ", comment)}
            assert told == set(range(1, len(prepared.get_parameters()) + 1)), title


@pytest.mark.parametrize("name", FILES)
def test_queries_stand_in_alphabetical_order_each_with_a_sentence(name: str) -> None:
    queries = load_queries(name)
    assert list(queries) == sorted(queries)
    for title, text in queries.items():
        first = text.splitlines()[0]
        assert re.match(r"-- [A-Z].*[.,a-z]$", first), f"{title}: {first}"


def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "careless.sql").write_text(text)
    monkeypatch.setattr(sql, "FOLDER", tmp_path)
    load_queries.cache_clear()


def test_a_file_is_read_into_its_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        monkeypatch,
        "-- A file.\n\n-- name: one\n-- First.\nSELECT 1;\n\n-- name: two\n-- Second.\nSELECT 2;\n",
    )
    assert dict(load_queries("careless")) == {"one": "-- First.\nSELECT 1;", "two": "-- Second.\nSELECT 2;"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("-- name: one\n-- First.\nSELECT 1;\n-- name: one\n-- Again.\nSELECT 2;\n", " has two queries named one."),
        ("-- name: one\nSELECT 1;\n", ": the query one has no description."),
        ("-- name: one\n-- $1 product text\nSELECT $1;\n", ": the query one has no description."),
    ],
)
def test_a_double_or_undescribed_query_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    write(tmp_path, monkeypatch, text)
    with pytest.raises(QueryError, match=re.escape("careless.sql" + fault)):
        load_queries("careless")
