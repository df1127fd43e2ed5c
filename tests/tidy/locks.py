"""Rules about what hangs together: locks and dependencies, and files that something uses."""

import re
import tomllib
from pathlib import PurePosixPath

from tests.tidy.repository import imported, tree

NAME = re.compile(r"^[A-Za-z0-9][\w.-]*")


def is_open(path: str, text: str) -> list[str]:
    """A lock that names an index, an address or a package without a hash."""
    found: list[str] = []
    blocks = re.split(r"\n(?=[A-Za-z0-9-])", "\n".join(line for line in text.splitlines() if "# via" not in line))
    for block in blocks:
        if not NAME.match(block):
            continue
        name = block.splitlines()[0].split(" ")[0]
        if "==" not in name:
            found.append(f"{path}: {name} is not pinned to one version")
        if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block):
            found.append(f"{path}: {name} has no hash")
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"index-url|find-links|trusted-host|://|\s@\s", line):
            found.append(f"{path}:{number} names where packages come from: {line.strip()}")
    return found


def is_missing(project: str, lock: str, locks: str) -> list[str]:
    """What pyproject.toml depends on and no lock has."""
    document = tomllib.loads(project)
    groups = document.get("dependency-groups", {})
    found = [f"{name} is in no requirements.lock" for name in _wanted(document["project"]["dependencies"], lock)]
    for group, wanted in groups.items():
        found += [f"{name} of {group} is in no lock" for name in _wanted(wanted, locks)]
    return found


def is_unused(python: dict[str, str], others: str) -> list[str]:
    """Python files that nothing imports, names or runs. `others` is the text of all other files."""
    names = {name for text in python.values() for _, name in imported(tree(text))}
    everything = others + "\n".join(python.values())
    found: list[str] = []
    for path in python:
        place = PurePosixPath(path)
        module = ".".join(place.with_suffix("").parts)
        if place.name in ("__init__.py", "__main__.py", "conftest.py") or place.name.startswith("test_"):
            continue
        if module in names or path in others:
            continue
        # A module that another starts as a process is named there, with dots after -m or by its file's name.
        if not re.search(rf"(?<![\w.]){re.escape(module)}(?![\w.])|[\"']{re.escape(place.name)}[\"']", everything):
            found.append(f"{path} is imported and run by nothing")
    return found


def _wanted(dependencies: list[str], locked: str) -> list[str]:
    pinned = {_plain(found[1]) for found in re.finditer(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==", locked, re.M)}
    names = [found[0] for item in dependencies if (found := NAME.match(item))]
    return [name for name in names if _plain(name) not in pinned]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
