"""Header and Python caller of each script agree on keys, arguments and results."""

import re
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any

import pytest

import lua
from lua import (
    CancelStatus,
    FulfilStatus,
    LaneKeys,
    LeaseStatus,
    Status,
    caching,
    commands,
    fulfilling,
    lanes,
    sales,
    scripts,
    settling,
    throttling,
)
from lua.admit import FIXED_KEYS
from lua.keys import cache_key, cached_key, commands_key, dead_commands_key, product_digest
from tests.lua.lane import Lane, look, make_order, outcome
from tests.tidy.scripts import disagrees_about_statuses, read_header

KEYS = LaneKeys(0)
SALE, STOCK, BUYERS = KEYS.product(product_digest("ps5"))
ORDER = make_order(client="10.0.0.1")
BUCKETS = [lua.Bucket("ann", 1.0, 1), lua.Bucket("10.0.0.1", 1.0, 1)]
NAMED = {
    "bucket": KEYS.bucket,
    "lanes": KEYS.lanes,
    "outbox": KEYS.outbox,
    "figures": KEYS.figures,
    "dead": KEYS.dead,
    "sales": KEYS.sales,
    "record": KEYS.order(ORDER.digest),
    "sale": SALE,
    "stock": STOCK,
    "buyers": BUYERS,
    "commands": commands_key("auth"),
    "dead_commands": dead_commands_key("auth"),
    "answer": cache_key("game:halo"),
    "names": cached_key("game"),
}
TUPLES = {
    "admit": FIXED_KEYS,
    "open_sale": sales.OPEN_SALE_KEYS,
    "cancel": sales.CANCEL_KEYS,
    "fulfil": fulfilling.FULFIL_KEYS,
    "mark_lost": sales.MARK_LOST_KEYS,
    "snapshot": sales.SNAPSHOT_KEYS,
    "renumber": lanes.RENUMBER_KEYS,
    "settle": settling.SETTLE_KEYS,
    "replay_dead": settling.REPLAY_DEAD_KEYS,
    "forget_consumers": settling.FORGET_CONSUMERS_KEYS,
    "submit": commands.SUBMIT_KEYS,
    "replay_command": commands.REPLAY_COMMAND_KEYS,
    "throttle": throttling.THROTTLE_KEYS,
    "cache_lease": caching.CACHE_LEASE_KEYS,
    "cache_store": caching.CACHE_STORE_KEYS,
    "cache_release": caching.CACHE_RELEASE_KEYS,
}
ENUMS: dict[str, type[IntEnum]] = {
    "admit": Status,
    "cancel": CancelStatus,
    "fulfil": FulfilStatus,
    "cache_lease": LeaseStatus,
}


class Recorder:
    """A client that remembers the call of a script, and answers so that its caller is content."""

    def __init__(self, *answers: Any) -> None:
        self.keys: list[str] = []
        self.arguments: list[Any] = []
        self._answers = list(answers)

    async def execute_command(self, _evalsha: str, _sha: str, count: int, *rest: Any) -> Any:
        self.keys, self.arguments = list(rest[:count]), list(rest[count:])
        return self._answers.pop()

    async def hkeys(self, _name: str) -> list[bytes]:
        return [b"ps5", b"xbox"]


Call = Callable[[Any], Awaitable[Any]]


async def call_settle(lane: Lane) -> None:
    others = [make_order("b", product="xbox"), make_order("c")]
    outcomes = [outcome(ORDER, lua.PERSISTED), *(outcome(other, lua.FAILED) for other in others)]
    corpse = lua.Dead(0, "orders", "1", "name", b"value", "reason")
    entries = [("1-1", 1), ("1-2", 2)]
    arguments = {"group": "g", "ttl_s": 1, "entries": entries, "outcomes": outcomes, "dead": [corpse]}
    await lua.settle(lane.redis, lane.keys, **arguments)


async def call_admit(lane: Lane) -> None:
    reads = [look(order=ORDER, client="10.0.0.2"), look("xbox", client="10.0.0.1")]
    await lane.admit(ORDER, make_order("b", client="10.0.0.2"), reads=reads, client_rate_per_s=5)


# How often each varying group of keys, and of arguments, stands in the call: in the order of the header.
CALLS: dict[str, tuple[Call, Any, list[int], list[int]]] = {
    # Two products, two clients, two orders, one status read.
    "admit": (call_admit, [0] * 12, [2, 2, 2, 1], []),
    "open_sale": (lambda lane: lane.open(), b"1", [], []),
    "cancel": (lambda lane: lane.cancel(ORDER), [1, 1], [], []),
    "fulfil": (
        lambda lane: lua.fulfil(lane.redis, lane.keys, digest=ORDER.digest, order_id=ORDER.order_id),
        [1, 1],
        [],
        [],
    ),
    "mark_lost": (lambda lane: lua.mark_lost(lane.redis, lane.keys, "ps5", 1, 1), 1, [], []),
    "snapshot": (lambda lane: lua.snapshot(lane.redis, lane.keys), [b"0-0"] + [b""] * 10, [2], []),
    # Two products.
    "renumber": (lambda lane: lanes.renumber(lane.redis, lane.keys, False), 1, [2], []),
    # Two products, one persisted and two other outcomes; two entries, and one dead command.
    "settle": (call_settle, 1, [2, 1, 2], [2, 2, 1]),
    "forget_consumers": (lambda lane: lua.forget_consumers(lane.redis, lane.keys, "g", 1), 1, [], []),
    "replay_dead": (lambda lane: lua.replay_dead(lane.redis, lane.keys, "1-1"), 1, [], []),
    "submit": (lambda lane: lua.submit(lane.redis, "auth", b"", 1), 1, [], []),
    "replay_command": (lambda lane: lua.replay_command(lane.redis, "auth", "1-1", b""), 1, [], []),
    # Two buckets.
    "throttle": (lambda lane: lua.take_tokens(lane.redis, BUCKETS), 0, [2], [2]),
    "cache_lease": (
        lambda lane: lua.lease_cached(lane.redis, "game:halo", "l", lease_s=1, fresh_s=1),
        [2, b"l", -1, b""],
        [],
        [],
    ),
    "cache_store": (lambda lane: lua.store_cached(lane.redis, "game:halo", "l", b"", kept_s=1), 1, [], []),
    "cache_release": (lambda lane: lua.release_cached(lane.redis, "game:halo", "l"), 1, [], []),
}


def text_of(name: str) -> str:
    return (scripts.FOLDER / f"{name}.lua").read_text()


def test_every_script_is_held_to_this() -> None:
    names = {path.stem for path in scripts.FOLDER.glob("*.lua")}
    assert names == set(CALLS) == set(TUPLES)


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_the_caller_passes_what_the_header_tells_in_its_order(name: str) -> None:
    call, answer, key_groups, argument_groups = CALLS[name]
    header, faults = read_header(name, text_of(name))
    assert faults == []
    recorder: Any = Recorder(answer)
    await call(Lane(recorder))
    fixed = recorder.keys[: len(header.keys)]
    assert fixed == [NAMED[key] for key in header.keys]
    keys = sum(size * times for size, times in zip(header.varying_keys, key_groups, strict=True))
    arguments = sum(size * times for size, times in zip(header.varying_arguments, argument_groups, strict=True))
    assert len(recorder.keys) == len(header.keys) + keys
    assert len(recorder.arguments) == len(header.arguments) + arguments


@pytest.mark.parametrize("name", sorted(TUPLES))
def test_the_callers_names_of_the_keys_are_those_of_the_header(name: str) -> None:
    assert list(TUPLES[name]) == read_header(name, text_of(name))[0].keys


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_every_status_of_the_header_is_one_of_the_enum_and_the_reverse(name: str) -> None:
    statuses = {status.name: status.value for status in ENUMS[name]}
    assert disagrees_about_statuses(name, text_of(name), statuses) == []


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_every_status_has_a_test_that_is_named_after_it(name: str) -> None:
    folder = scripts.FOLDER.parent / "tests" / "lua"
    tests = "\n".join(path.read_text() for path in folder.glob(f"test_{name}*.py"))
    for status in ENUMS[name]:
        assert re.search(rf"def test_(a_read_\w+_)?{status.name.lower()}", tests), status.name


def test_every_key_of_a_lane_has_its_hash_tag_and_its_line_in_the_key_space() -> None:
    told = lua.keys.__doc__ or ""
    names = ("lanes", "bucket", "outbox", "dead", "figures", "sales", "proof", "events")
    for key in (*(getattr(KEYS, name) for name in names), SALE, STOCK, BUYERS, KEYS.order("d"), KEYS.client("c")):
        assert key.startswith("{lane:0}:")
        assert "{lane:N}:" + key.split(":", 2)[2].split(":")[0] in told
