"""Rules about who may do what: each takes a path and the text of a Python file, and gives complaints."""

import ast
import re

from tests.tidy.repository import imported, strings, tree

ENVIRONMENT = {"environ", "environb", "getenv", "putenv"}
SCRIPT_CALLS = {"eval", "evalsha", "eval_ro", "evalsha_ro", "script_load", "register_script"}
STREAM_CALLS = {"xadd", "xread", "xreadgroup", "xautoclaim", "xclaim", "xack", "xgroup_create"}
HTTP_CLIENTS = {"httpx", "httpx2", "aiohttp", "requests", "http.client", "urllib.request", "urllib3"}
SQL = re.compile(
    r"^\s*(SELECT\s.+\bFROM\b|SELECT\s+\w+\(|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|TRUNCATE\s"
    r"|(CREATE|DROP|ALTER)\s+(UNIQUE\s+)?(TABLE|INDEX|TYPE|DATABASE|ROLE|USER|EXTENSION|VIEW)\s|WITH\s+\w+\s+AS\s*\()",
    re.I | re.S,
)
ELSEWHERE = re.compile(r"https?://(?!localhost|127\.0\.0\.1|\[::1\]|[\w.-]*\bexample\b|$)[\w\[]")


def reads_the_environment(path: str, text: str) -> list[str]:
    """Only contract/settings.py reads the environment; a child gets its environment from child_environ."""
    if path == "contract/settings.py":
        return []
    found = _attributes(text, ENVIRONMENT, of="os")
    found += [(line, name) for line, name in imported(tree(text)) if name in {f"os.{word}" for word in ENVIRONMENT}]
    return _told(path, found, "reads the environment, which only contract/settings.py may")


def names_a_key(path: str, text: str) -> list[str]:
    """Only lua/ knows the key space."""
    if path.startswith("lua/"):
        return []
    found = [(line, value) for line, value in strings(tree(text)) if "{lane" in value]
    return _told(path, found, "names a key, which only lua/ may")


def calls_a_script(path: str, text: str) -> list[str]:
    """Only lua/ sends scripts to Redis."""
    if path.startswith("lua/"):
        return []
    found = _attributes(text, SCRIPT_CALLS)
    found += [(line, value) for line, value in strings(tree(text)) if value.upper() in ("EVAL", "EVALSHA")]
    return _told(path, found, "calls a script, which only lua/ may")


def opens_a_sql_file(path: str, text: str) -> list[str]:
    """Only sql/ reads .sql files."""
    if path.startswith("sql/"):
        return []
    found = [(line, value) for line, value in strings(tree(text)) if re.search(r"\.sql\b", value)]
    return _told(path, found, "names a .sql file, which only sql/ may")


def holds_sql(path: str, text: str) -> list[str]:
    """SQL stands in sql/queries, under a name."""
    if path.startswith("sql/"):
        return []
    found = [(line, value) for line, value in strings(tree(text)) if SQL.search(value)]
    return _told(path, found, "holds SQL, which belongs into sql/queries")


def speaks_to_a_broker(path: str, text: str) -> list[str]:
    """Only contract/transport knows streams and Kafka."""
    if path.startswith("contract/transport/"):
        return []
    found = _attributes(text, STREAM_CALLS)
    found += [(line, value) for line, value in strings(tree(text)) if value.lower() in STREAM_CALLS]
    found += [(line, name) for line, name in imported(tree(text)) if name.split(".")[0] == "aiokafka"]
    return _told(path, found, "speaks to a broker, which only contract/transport may")


def speaks_http_to_others(path: str, text: str) -> list[str]:
    """Only workers/clients calls other parties, so only it knows an address or an HTTP client."""
    if path.startswith("workers/clients/"):
        return []
    found = [(line, name) for line, name in imported(tree(text)) if name in HTTP_CLIENTS]
    found += [(line, value) for line, value in strings(tree(text)) if ELSEWHERE.search(value)]
    return _told(path, found, "speaks HTTP to others, which only workers/clients may")


BORDERS = (
    reads_the_environment,
    names_a_key,
    calls_a_script,
    opens_a_sql_file,
    holds_sql,
    speaks_to_a_broker,
    speaks_http_to_others,
)


def _attributes(text: str, names: set[str], of: str = "") -> list[tuple[int, str]]:
    return [
        (node.lineno, node.attr)
        for node in ast.walk(tree(text))
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and (not of or (isinstance(node.value, ast.Name) and node.value.id == of))
    ]


def _told(path: str, found: list[tuple[int, str]], fault: str) -> list[str]:
    return [f"{path}:{line} {fault}: {what.strip()[:60]!r}" for line, what in found]
