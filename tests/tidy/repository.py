"""The files of the repository, as the tidy tests see them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("contract", "gateway", "workers", "lua", "sql", "fluxgate", "waiting_room")
BINARY = {".png", ".ico", ".jpg", ".woff2"}


@cache
def tracked() -> tuple[str, ...]:
    """Every file that git knows or would take, by its path in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted(name for name in set(listed) if (ROOT / name).is_file()))


def texts(*suffixes: str, outside: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Path and text of all text files, or of those with these suffixes, outside some folders."""
    for name in tracked():
        path = Path(name)
        if path.suffix in BINARY or (suffixes and path.suffix not in suffixes) or name.startswith(outside):
            continue
        yield name, (ROOT / name).read_text(encoding="utf-8")


@cache
def tree(text: str) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text)


def strings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is not a docstring; the fixed parts of f-strings are strings of their own."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def imported(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported, `from a import b` as a and as a.b."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
