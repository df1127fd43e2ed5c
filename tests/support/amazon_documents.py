"""Documents of Amazon's for tests of those who read them: its own examples, and what may become of a document."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from workers.clients.http import read_json

MODELS = Path(__file__).parents[1] / "models" / "amazon"


def examples(name: str, path: str) -> list[Any]:
    """The examples of answers that Amazon's own model of an operation holds."""
    operation = read_json((MODELS / name).read_bytes())["paths"][path]["get"]
    found: list[Any] = list(operation["responses"]["200"].get("examples", {}).values())
    static = operation["responses"]["200"].get("x-amzn-api-sandbox", {}).get("static", [])
    return found + [one["response"] for one in static]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def spoilt(entry: Any) -> st.SearchStrategy[Any]:
    """An entry in which something is anything."""
    if isinstance(entry, dict):
        members: dict[str, Any] = dict(entry)  # pyright: ignore[reportUnknownArgumentType]
        changed = st.sampled_from(sorted(members)).flatmap(
            lambda name: spoilt(members[name]).map(lambda value: members | {name: value})
        )
        return changed | junk if members else junk
    if isinstance(entry, list) and entry:
        items: list[Any] = list(entry)  # pyright: ignore[reportUnknownArgumentType]
        return spoilt(items[0]).map(lambda value: [value, *items[1:]]) | junk
    return junk
