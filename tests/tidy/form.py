"""Rules about the form of files: each takes a path and a text, and gives complaints."""

import ast
import re

from tests.tidy.repository import ROOT, tree

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 70
LINE_LENGTH_MAX = 120
CARD = ("Consumes", "Calls", "Writes", "Emits", "Fails")
# Written in parts, so that this file does not break the rules that it checks.
UNFINISHED = re.compile("|".join(rf"\b{a}{b}\b" for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"))))
HOSTS = tuple(
    a + b
    for a, b in (
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("np", "mjs.org"),
        ("np", "mjs.com"),
        ("cra", "tes.io"),
        ("proxy.go", "lang.org"),
        ("registry.", "yarnpkg"),
        ("repo.", "maven.apache"),
    )
)
MACHINE_PATH = re.compile("|".join(rf"(?<![\w.~$}}>-])/{name}/[\w.-]+" for name in ("home", "Users", "root", "work")))
WORDS = {
    r"(rate.?)?limit" + r"er": "token bucket, or admission",
    r"dedup" + r"\w*": "idempotency key",
    r"(idempotency|order|request) nonc" + r"e": "idempotency key; the nonce of a webhook is another thing",
    r"dlq|failed queue|dead.?letter queue": "dead-letter",
    r"lobby": "waiting room",
    r"(black|white)" + r"list\w*": "allow-list",
    r"janitor|cleaner": "reaper",
    r"staged jobs?": "outbox",
    r"(schema|database|sql) migrations?": "schema; migration is the cart-and-wishlist worker",
    r"stock token|session token": "access token, refresh token, ticket or pass; a token alone is a bucket's",
}


def is_too_long(path: str, text: str) -> list[str]:
    """A file, a function or a line that nobody can take in at once."""
    lines = text.splitlines()
    found = [f"{path}: {len(lines)} lines, more than {FILE_LINES_MAX}"] if len(lines) > FILE_LINES_MAX else []
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_LENGTH_MAX:
            found.append(f"{path}:{number} has {len(line)} characters, more than {LINE_LENGTH_MAX}")
    if path.endswith(".py"):
        for node in ast.walk(tree(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    found.append(f"{path}:{node.lineno} {node.name} has {length} lines, more than {FUNCTION_LINES_MAX}")
    return found


def lacks_a_docstring(path: str, text: str) -> list[str]:
    """A module says in its first line what it is for."""
    said = ast.get_docstring(tree(text))
    return [] if said and len(said) >= 10 else [f"{path} has no docstring that says what it is for"]


def is_unfinished(path: str, text: str) -> list[str]:
    """What is to be done stands in an issue, not in the source."""
    return _lines(path, text, UNFINISHED, "is unfinished")


def names_a_machine(path: str, text: str) -> list[str]:
    """No path of one machine, and no package registry's host."""
    found = _lines(path, text, MACHINE_PATH, "names a path of one machine")
    if len(str(ROOT)) > 3:
        found += _lines(path, text, re.compile(re.escape(str(ROOT)) + r"\b"), "names a path of this machine")
    return found + _lines(path, text, re.compile("|".join(map(re.escape, HOSTS)), re.I), "names a registry's host")


def uses_another_word(path: str, text: str) -> list[str]:
    """One thing has one name."""
    found: list[str] = []
    for words, better in WORDS.items():
        found += _lines(path, text, re.compile(rf"(?<![a-z]){words}(?![a-z])", re.I), f"should say {better}")
    return found


def is_off_the_map(package: str, docstring: str, names: set[str]) -> list[str]:
    """The docstring of a large package is a map: below its first line it names every module, by what it is for."""
    _, _, rest = docstring.partition("\n")
    shown = {word.rstrip(":,") for word in rest.split()}
    return [f"{package}/{name} is not on the map in {package}/__init__.py" for name in sorted(names - shown)]


def lacks_its_card(path: str, text: str) -> list[str]:
    """A worker's file opens with what it consumes, calls, writes and emits, and how it fails."""
    lines = (ast.get_docstring(tree(text)) or "").splitlines()
    words = [line.split(" ")[0] for line in lines[2:] if line[:1].strip()]
    if words == list(CARD) and lines[0].endswith(".") and not lines[1]:
        return []
    return [f"{path} does not open with a sentence and the five lines {', '.join(CARD)}"]


def holds_a_worker(text: str) -> bool:
    """Whether a file of workers/ has something that runs by itself: a handler, or a loop of its own."""
    module = tree(text)
    defined = {node.name for node in module.body if isinstance(node, ast.AsyncFunctionDef)}
    return "handle" in defined or ("run" in defined and "handle_apart" not in defined)


def has_an_undescribed_table(path: str, text: str) -> list[str]:
    """A comment stands above each table, and says what a row is."""
    lines = text.splitlines()
    found: list[str] = []
    for number, line in enumerate(lines):
        if line.upper().startswith("CREATE TABLE"):
            above = lines[:number]
            ends = [i for i, before in enumerate(above) if before.rstrip().endswith(";")]
            if not any(before.startswith("-- ") for before in above[ends[-1] + 1 if ends else 0 :]):
                found.append(f"{path}:{number + 1} has no comment that says what a row of it is: {line}")
    return found


def _lines(path: str, text: str, pattern: re.Pattern[str], fault: str) -> list[str]:
    return [
        f"{path}:{number} {fault}: {found[0]!r}"
        for number, line in enumerate(text.splitlines(), 1)
        for found in pattern.finditer(line)
    ]
