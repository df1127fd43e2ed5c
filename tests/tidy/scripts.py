"""Rules about Lua: header, locals, results and Python agree on what stands where."""

import re
from pathlib import Path
from typing import NamedTuple

# What frees memory must run when there is none left; everything else is refused then as a whole.
MAKES_ROOM = {"settle"}
REDIS_TYPES = {"string", "hash", "stream", "set", "zset", "list"}
SECTIONS = ("KEYS", "ARGV", "Returns", "Why atomic")
BINDING = re.compile(r"^local (\w+) = (?:tonumber\(|cmsgpack\.unpack\()?(KEYS|ARGV)\[(\d+)\]\)?$")
STATUS = re.compile(r"^--   (\d+) +([A-Z][A-Z_]+) ")


class Header(NamedTuple):
    """What a script's header says: names of the fixed keys and arguments, how many vary, and the statuses."""

    keys: list[str]
    arguments: list[str]
    varying_keys: list[int]
    varying_arguments: list[int]
    statuses: dict[str, int]


def read_header(path: str, text: str) -> tuple[Header, list[str]]:
    """The header of a script, and what is wrong with its form."""
    lines = text.splitlines()
    head = lines[: next((i for i, line in enumerate(lines) if i and not line.startswith("--")), len(lines))]
    found: list[str] = []
    shebang = "#!lua flags=allow-oom" if Path(path).stem in MAKES_ROOM else "#!lua"
    if lines[:1] != [shebang]:
        found.append(f"{path} does not begin with {shebang}, so a full Redis would refuse too much, or too little")
    if len(head) < 2 or not re.match(r"-- [A-Z]", head[1]):
        found.append(f"{path} does not say in a sentence what it does")
    starts = [next((i for i, line in enumerate(head) if line.startswith(f"-- {name}")), -1) for name in SECTIONS]
    if -1 in starts or starts != sorted(starts):
        found.append(f"{path} lacks one of {', '.join(SECTIONS)}, or has them in another order")
        return Header([], [], [], [], {}), found
    keys, arguments, returns, why = starts
    for line in head[keys + 1 : arguments]:
        entry = re.match(r"--   \d+  +\w+  +(\w+)", line)
        if entry and entry[1] not in REDIS_TYPES:
            found.append(f"{path}: a key of the unknown type {entry[1]}: {line}")
    names = [_numbered(path, head[a + 1 : b], found) for a, b in ((keys, arguments), (arguments, returns))]
    varying = [_varying(head[a + 1 : b]) for a, b in ((keys, arguments), (arguments, returns))]
    statuses = {entry[2]: int(entry[1]) for line in head[returns:why] if (entry := STATUS.match(line))}
    return Header(*names, *varying, statuses), found


def disagrees_with_itself(path: str, text: str) -> list[str]:
    """The first lines bind every key and argument to its name in the header, in order; no bare index follows."""
    header, found = read_header(path, text)
    body = [line.strip() for line in text.splitlines() if not line.startswith("--")]
    bound: dict[str, list[tuple[int, str]]] = {"KEYS": [], "ARGV": []}
    for line in body:
        binding = BINDING.match(line)
        if binding:
            bound[binding[2]].append((int(binding[3]), binding[1]))
        elif re.search(r"\b(KEYS|ARGV)\[\d+\]", line):
            found.append(f"{path} uses a bare index: {line}")
    for table, names in (("KEYS", header.keys), ("ARGV", header.arguments)):
        if bound[table] != list(enumerate(names, 1)):
            found.append(f"{path}: header and locals disagree on {table}: {names} and {bound[table]}")
    # An argument may be unpacked where it is bound: there nothing has been written, and our caller has packed it.
    if any(re.search(r"\bc(json|msgpack)\b", line) for line in body if not BINDING.match(line)):
        found.append(f"{path} parses; a parser may raise after a write, and loses digits")
    if len(re.findall(r"redis\.call\('TIME'\)", text)) > 1:
        found.append(f"{path} asks for the time twice, and may get two answers")
    return found


def disagrees_about_statuses(path: str, text: str, statuses: dict[str, int]) -> list[str]:
    """Header, body and enum have the same statuses with the same numbers."""
    header, found = read_header(path, text)
    if header.statuses != statuses:
        found.append(f"{path}: header {header.statuses} and enum {statuses} disagree")
    answered = {int(n) for n in re.findall(r"answer\('\w+', (\d+)", text)}
    answered |= {int(n) for n in re.findall(r"return \{(\d+),", text)}
    answered |= {int(n) for pair in re.findall(r"and (\d+) or (\d+), record", text) for n in pair}
    if answered != set(statuses.values()):
        found.append(f"{path} answers {sorted(answered)}, which are not all of {sorted(statuses.values())}")
    return found


def include_reaches_out(path: str, text: str) -> list[str]:
    """An include takes parameters; KEYS and ARGV are its script's."""
    code = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    found = [f"{path} reaches for KEYS or ARGV: {line}" for line in code if re.search(r"\b(KEYS|ARGV)\b", line)]
    if not text.startswith("-- "):
        found.append(f"{path} does not say what it is for")
    return found


def _numbered(path: str, lines: list[str], found: list[str]) -> list[str]:
    names: list[str] = []
    for line in lines:
        entry = re.match(r"--   (\d+)  +(\w+)", line)
        if entry:
            names.append(entry[2])
            if int(entry[1]) != len(names):
                found.append(f"{path}: number {entry[1]} is out of order: {line}")
    return names


def _varying(lines: list[str]) -> list[int]:
    return [int(entry[1]) for line in lines if (entry := re.match(r"--   then (\d+) per ", line))]
