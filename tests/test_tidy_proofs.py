"""Each house rule, fed with a file that breaks it and one that keeps it: a rule that cannot fail is none."""

from collections.abc import Callable

import pytest

from tests.tidy import borders, form, locks, scripts

Rule = Callable[[str, str], list[str]]
HASH = "--hash=sha256:" + "0" * 64

BROKEN: list[tuple[Rule, str, str]] = [
    (borders.reads_the_environment, "gateway/a.py", "import os\nx = os.environ['A']"),
    (borders.reads_the_environment, "gateway/a.py", "import os\nx = os.getenv('A')"),
    (borders.reads_the_environment, "gateway/a.py", "from os import environ"),
    (borders.names_a_key, "gateway/a.py", "x = '{lane:0}:stock'"),
    (borders.names_a_key, "workers/a.py", "x = f'{{lane:{n}}}:stock'"),
    (borders.calls_a_script, "workers/a.py", "client.evalsha('x', 0)"),
    (borders.calls_a_script, "workers/a.py", "client.execute_command('EVAL', 'x', 0)"),
    (borders.opens_a_sql_file, "workers/a.py", "open('queries/orders.sql')"),
    (borders.holds_sql, "workers/a.py", "x = 'SELECT a FROM b'"),
    (borders.holds_sql, "workers/a.py", "x = '''\n  insert into orders values (1)'''"),
    (borders.holds_sql, "workers/a.py", "x = 'UPDATE orders SET a = 1'"),
    (borders.holds_sql, "fluxgate/a.py", "x = 'CREATE DATABASE fluxgate'"),
    (borders.speaks_to_a_broker, "workers/a.py", "redis.xadd('a', {})"),
    (borders.speaks_to_a_broker, "workers/a.py", "redis.execute_command('XREADGROUP')"),
    (borders.speaks_to_a_broker, "workers/a.py", "from aiokafka import AIOKafkaProducer"),
    (borders.speaks_http_to_others, "workers/a.py", "import httpx2"),
    (borders.speaks_http_to_others, "workers/a.py", "from urllib import request\nfrom urllib.request import urlopen"),
    (borders.speaks_http_to_others, "gateway/a.py", "x = 'https://api.shop.com/v1'"),
    (form.is_too_long, "a.py", "x = 1\n" * 301),
    (form.is_too_long, "a.py", "x = '" + "y" * 120 + "'"),
    (form.is_too_long, "a.py", "async def f():\n" + "    x = 1\n" * 70),
    (form.lacks_a_docstring, "a.py", "x = 1"),
    (form.lacks_a_docstring, "a.py", '"""No."""'),
    (form.is_unfinished, "a.py", "# TO" + "DO: later"),
    (form.is_unfinished, "a.lua", "-- FIX" + "ME"),
    (form.names_a_machine, "a.md", "see /ho" + "me/ann/shop"),
    (form.names_a_machine, "a.md", "`/wo" + "rk/main/x`"),
    (form.names_a_machine, "a.lock", "https://files.python" + "hosted.org/x"),
    (form.names_a_machine, "a.toml", "index = 'https://PyPI" + ".org/simple'"),
    (form.uses_another_word, "a.py", "# the rate limi" + "ter"),
    (form.uses_another_word, "a.md", "Dead-letter queue"),
    (form.uses_another_word, "a.md", "run the schema migration"),
    (form.lacks_its_card, "workers/a.py", '"""Does things."""'),
    (
        form.lacks_its_card,
        "workers/a.py",
        '"""Does things.\n\nConsumes  a\nWrites  b\nCalls  c\nEmits  d\nFails  e\n"""',
    ),
    (form.has_an_undescribed_table, "a.sql", "CREATE TABLE a (b int);"),
    (form.has_an_undescribed_table, "a.sql", "-- A.\nCREATE TABLE a (b int);\n\nCREATE TABLE c (d int);"),
    (scripts.include_reaches_out, "a.lua", "-- Says.\nlocal function f() return KEYS[1] end"),
    (scripts.include_reaches_out, "a.lua", "local function f() end"),
    (locks.is_open, "a.lock", "redis==1.0 \\\n    # no hash"),
    (locks.is_open, "a.lock", f"redis>=1.0 \\\n    {HASH}"),
    (locks.is_open, "a.lock", f"--index-url https://example.com\nredis==1.0 \\\n    {HASH}"),
    (locks.is_open, "a.lock", f"redis @ https://example.com/redis.whl \\\n    {HASH}"),
]

KEPT: list[tuple[Rule, str, str]] = [
    (borders.reads_the_environment, "contract/settings.py", "import os\nx = os.environ"),
    (borders.reads_the_environment, "gateway/a.py", '"""Not os.environ."""\nx = scope.environ'),
    (borders.names_a_key, "lua/keys.py", "x = '{lane:0}'"),
    (borders.names_a_key, "gateway/a.py", '"""Keys look like {lane:0}:x."""'),
    (borders.calls_a_script, "lua/scripts.py", "run('EVALSHA')"),
    (borders.opens_a_sql_file, "sql/__init__.py", "open('a.sql')"),
    (borders.holds_sql, "workers/a.py", "x = 'Select a product, or update your order.'"),
    (borders.holds_sql, "workers/a.py", "x = 'Update the sale first'"),
    (borders.speaks_to_a_broker, "contract/transport/a.py", "redis.xadd('a', {})"),
    (borders.speaks_http_to_others, "workers/clients/a.py", "import httpx2\nx = 'https://api.shop.com'"),
    (borders.speaks_http_to_others, "gateway/a.py", "x = f'http://{host}'; y = 'http://localhost:1'"),
    (form.is_too_long, "a.py", "def f():\n" + "    x = 1\n" * 69),
    (form.names_a_machine, "a.md", "/usr/bin/env, docs/work/x, /tmp, /proc/self"),
    (form.uses_another_word, "a.md", "the token bucket limits the rate"),
    (
        form.lacks_its_card,
        "workers/a.py",
        '"""Does it.\n\nConsumes  a\nCalls  b\nWrites  c\n  d\nEmits  e\nFails  f\n"""',
    ),
    (form.has_an_undescribed_table, "a.sql", "-- A.\n\nCREATE TABLE a (b int);\n-- C.\nCREATE TABLE c (d int);"),
    (scripts.include_reaches_out, "a.lua", "-- No KEYS here.\nlocal function f(key) end"),
    (locks.is_open, "a.lock", f"redis==1.0 \\\n    {HASH}\n    # via x"),
]

SCRIPT = """#!lua
-- Does one thing.
--
-- KEYS
--   1  stock  string  units left
-- ARGV
--   1  units  units wanted
-- Returns two values
--   1  DONE    0
--   2  FAILED  0
-- Why atomic: because.

local stock = KEYS[1]
local units = tonumber(ARGV[1])
if units > 1 then
    return {2, 0}
end
return {1, redis.call('DECRBY', stock, units)}
"""
DAMAGES = {
    "no shebang": ("#!lua\n", ""),
    "a shebang that lets it grow a full Redis": ("#!lua\n", "#!lua flags=allow-oom\n"),
    "no sentence": ("-- Does one thing.\n", "--\n"),
    "no reason": ("-- Why atomic: because.\n", ""),
    "an unknown type": ("  string  ", "  number  "),
    "a number out of order": ("--   1  stock", "--   2  stock"),
    "a local of another name": ("local stock = KEYS[1]", "local left = KEYS[1]"),
    "a local too few": ("local units = tonumber(ARGV[1])\n", "local units = 1\n"),
    "a bare index": ("'DECRBY', stock", "'DECRBY', KEYS[1]"),
    "a parser": ("if units", "cjson.encode({})\nif units"),
    "a parser of an argument that may be anything": ("tonumber(ARGV[1])", "cjson.decode(ARGV[1])"),
    "a parser behind the arguments": ("if units", "units = cmsgpack.unpack(units)\nif units"),
    "two clocks": ("if units", "redis.call('TIME')\nredis.call('TIME')\nif units"),
}


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN, ids=lambda item: getattr(item, "__name__", None))
def test_a_file_that_breaks_a_rule_is_complained_of(rule: Rule, path: str, text: str) -> None:
    complaints = rule(path, text)
    assert complaints
    assert all(complaint.startswith(path) for complaint in complaints)


@pytest.mark.parametrize(("rule", "path", "text"), KEPT, ids=lambda item: getattr(item, "__name__", None))
def test_a_file_that_keeps_a_rule_is_left_in_peace(rule: Rule, path: str, text: str) -> None:
    assert rule(path, text) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_script_that_disagrees_with_its_header_is_complained_of(damage: str) -> None:
    assert scripts.disagrees_with_itself("a.lua", SCRIPT) == []
    before, after = DAMAGES[damage]
    assert before in SCRIPT
    assert scripts.disagrees_with_itself("a.lua", SCRIPT.replace(before, after, 1))


def test_an_argument_may_be_unpacked_where_it_is_bound() -> None:
    assert scripts.disagrees_with_itself("a.lua", SCRIPT.replace("tonumber(", "cmsgpack.unpack(")) == []


def test_a_status_that_header_body_or_enum_lacks_is_complained_of() -> None:
    statuses = {"DONE": 1, "FAILED": 2}
    assert scripts.disagrees_about_statuses("a.lua", SCRIPT, statuses) == []
    assert scripts.disagrees_about_statuses("a.lua", SCRIPT, statuses | {"LOST": 3})
    assert scripts.disagrees_about_statuses("a.lua", SCRIPT, {"DONE": 2, "FAILED": 1})
    assert scripts.disagrees_about_statuses("a.lua", SCRIPT.replace("return {2,", "return {3,"), statuses)
    assert scripts.disagrees_about_statuses("a.lua", SCRIPT.replace("--   2  FAILED  0\n", ""), statuses)


def test_a_dependency_that_no_lock_has_is_complained_of() -> None:
    project = '[project]\ndependencies = ["Redis[x]>=1", "a_b"]\n[dependency-groups]\ndev = ["ruff"]\n'
    assert locks.is_missing(project, "redis[hiredis]==1\na-b==2\n", "redis==1\nruff==3\n") == []
    assert locks.is_missing(project, "redis==1\n", "redis==1\nruff==3\n") == ["a_b is in no requirements.lock"]
    assert locks.is_missing(project, "redis==1\na-b==2\n", "redis==1\n") == ["ruff of dev is in no lock"]


def test_a_file_that_nothing_imports_or_runs_is_complained_of() -> None:
    python = {"pkg/__init__.py": "", "pkg/a.py": "", "pkg/b.py": "from pkg import a", "pkg/c.py": "", "bin/d.py": ""}
    used = "python -m pkg.b\nbin/d.py --help"
    assert locks.is_unused(python, used) == ["pkg/c.py is imported and run by nothing"]


def test_a_module_that_is_not_on_the_map_of_its_package_is_complained_of() -> None:
    map_of_two = "What b is.\n\n    start here   a\n    the rest     c"
    assert form.is_off_the_map("p", map_of_two, {"a", "c"}) == []
    assert form.is_off_the_map("p", map_of_two, {"a", "b", "c"}) == ["p/b is not on the map in p/__init__.py"]


@pytest.mark.parametrize(
    ("text", "holds"),
    [("async def handle(c, b): ...", True), ("async def run(c, s): ...", True), ("def compare(): ...", False)],
)
def test_a_file_that_runs_by_itself_counts_as_a_worker(text: str, holds: bool) -> None:
    assert form.holds_a_worker(text) is holds
