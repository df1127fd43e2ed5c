"""People among 100,000 members: a search reads what it shows, and no table from end to end."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from sql import load_queries

pytestmark = pytest.mark.slow

QUERIES = load_queries("goated_users")
MEMBERS = 100_000
FILL = f"""
INSERT INTO goated_members (uid, name)
SELECT 'uid' || n, substr(md5(n::text), 1, 6) || CASE WHEN n % 100 = 0 THEN ' King' ELSE '' END
FROM generate_series(1, {MEMBERS}) AS n;
INSERT INTO goated_wagers (uid, today, this_week, this_month, all_time)
SELECT 'uid' || n, 0, n % 1000, n, n FROM generate_series(1, {MEMBERS}) AS n;
INSERT INTO users (id, email, password_hash, nickname)
SELECT 'user' || n, n || '@shop.example', 'none', 'Buyer' FROM generate_series(1, 5000) AS n;
INSERT INTO goated_verifications (id, user_id, uid, status, expires_at, decided_at)
SELECT gen_random_uuid(), 'user' || n, 'uid' || n, 'verified', now(), now() FROM generate_series(1, 5000) AS n;
"""


async def plan(connection: Any, name: str, *given: Any) -> list[dict[str, Any]]:
    """Each part of how Postgres has answered a query, as it tells it."""
    async with connection.transaction():
        await connection.execute(QUERIES["plan_for_these_values"])
        text = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) " + QUERIES[name], *given)
    return list(nodes(msgspec.json.decode(text)[0]["Plan"]))


def nodes(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each part of a plan."""
    yield found
    for part in found.get("Plans", ()):
        yield from nodes(part)


async def used(connection: Any, name: str, *given: Any) -> set[str]:
    """The indexes of members by which a query is answered. Fails where it reads one of the large tables whole."""
    parts = await plan(connection, name, *given)
    whole = {part["Relation Name"] for part in parts if part["Node Type"] == "Seq Scan"}
    assert not whole & {"goated_members", "goated_wagers"}, (name, given)
    return {own for part in parts if (own := part.get("Index Name", "")).startswith("goated_members")}


async def test_people_are_found_looked_up_and_counted_by_indexes(connection: Any) -> None:
    await connection.execute(FILL)
    await connection.execute("VACUUM ANALYZE")
    # Of one name, of a thousand, of some, of none.
    for text in ("c4ca42", "king", "a1b", "xyz"):
        for name, given in (("search_by_piece", (text, 30, 0)), ("count_by_piece", (text, 10_000))):
            assert await used(connection, name, *given) == {"goated_members_by_trigrams"}, (name, text)
    for text in ("a", "c4", "zz"):
        for name, given in (("search_by_prefix", (text, 30, 0)), ("count_by_prefix", (text, 10_000))):
            assert await used(connection, name, *given) == {"goated_members_by_name"}, (name, text)
    # The order of that index is that of the page, so a page costs a page.
    page = await plan(connection, "search_by_prefix", "a", 30, 0)
    assert [part["Actual Rows"] for part in page if part.get("Relation Name") == "goated_members"] == [30]
    ids = [f"uid{n}" for n in range(4960, 5040)] + [f"user{n}" for n in range(1, 20)] + ["nobody"]
    assert await used(connection, "find_people", ids) == {"goated_members_pkey"}
    of_everybody = [f"uid{MEMBERS - 10}", 1, 998, MEMBERS - 10, MEMBERS - 10]
    await used(connection, "count_ahead", *of_everybody)
    row = await connection.fetchrow(QUERIES["count_ahead"], *of_everybody)
    assert (row["monthly"], row["all_time"]) == (10, 10)
