"""The key space, on one page. All keys of a lane share its hash tag, so that one script may touch them together.

    {lane:N}:lanes            string  how many lanes there are, for whoever opens a sale in this one
    {lane:N}:bucket           hash    token bucket of the lane
    {lane:N}:client:<digest>  hash    token bucket of one client address
    {lane:N}:sales            hash    product id -> epoch, for listing
    {lane:N}:sale:<digest>    hash    epoch, total, limit, product, accepted, returned
    {lane:N}:stock:<digest>   string  units left
    {lane:N}:buyers:<digest>  hash    buyer -> units, where the sale has a limit
    {lane:N}:order:<digest>   string  order record; the digest is of the idempotency key, and part of the order id
    {lane:N}:outbox           stream  commands on their way to the workers
    {lane:N}:outbox.dead      stream  commands that no worker could handle
    {lane:N}:figures          hash    running totals, and the backlog
    {lane:N}:proof            string  the reaper's latest reconciliation, as JSON
    {lane:N}:events           channel inventory and order events
    {lane:N}:gates            channel what every gateway process hears: ids of accepted orders, products on sale again
    fluxgate:questions:<who>  stream  questions for a worker
    fluxgate:answers:<id>     stream  the answers to one gateway process
    fluxgate:meters           hash    gateway process -> its latest counts, as JSON
    fluxgate:{WHO}:commands       stream  commands for a worker, such as auth
    fluxgate:{WHO}:commands.dead  stream  commands that it could not handle
    fluxgate:replies:<id>     stream  replies to the commands of one gateway process
    fluxgate:reply:<command>  string  what came of a command; empty while nothing has
    fluxgate:{cache:F}:<name> hash    a cached answer of the family F, and the lease of who fills it
    fluxgate:{cache:F}:names  zset    names of the family's answers by when they lapse, for invalidation by pattern
    fluxgate:{throttle}:<digest>  hash    token bucket of an account or an address that tries to log in
    fluxgate:pace:<digest>    string  turns in a second that an upstream has said to allow somebody
    fluxgate:{nonces}:<digest>  string  the digest of the message that a nonce of a webhook came with
    fluxgate:handled          hash    worker/kind/status -> commands and their microseconds
    fluxgate:upstream_calls   hash    upstream/call/outcome -> requests and their microseconds
    fluxgate:upstream_times   hash    upstream/bound in seconds -> requests that took so long
    fluxgate:syncs            hash    upstream/outcome -> syncs, and upstream/good_at_ms -> end of the last good one
    fluxgate:progress         channel how far syncs are, as JSON
    fluxgate:races            channel what is new on the leaderboard of Goated, as JSON
    fluxgate:deferred         string  what waits in the outbox of Postgres, by worker, as JSON
    fluxgate:secret           string  keys the digest of idempotency keys, so that order ids cannot be guessed

No text of a user is ever part of a key: products, clients and idempotency keys enter as digests.
"""

import re
from hashlib import blake2b

SECRET = "fluxgate:secret"  # noqa: S105 - the name of the key, not a secret
METERS = "fluxgate:meters"
ANSWERS_PREFIX = "fluxgate:answers:"
REPLIES_PREFIX = "fluxgate:replies:"
HANDLED = "fluxgate:handled"
UPSTREAM_CALLS = "fluxgate:upstream_calls"
UPSTREAM_TIMES = "fluxgate:upstream_times"
SYNCS = "fluxgate:syncs"
DEFERRED = "fluxgate:deferred"
PROGRESS_CHANNEL = "fluxgate:progress"
RACES_CHANNEL = "fluxgate:races"
GROUP_OF_ORDERS = "orders"
CACHE_FAMILIES = ("affiliate", "catalog", "g2a", "game", "home", "order", "race", "session", "user")
"""What a name of a cached answer may begin with: another one would be a slip, and no pattern would find it."""
CACHE_NAME_MAX = 200
"""Characters of such a name; the longest identifier that is part of one has 64."""
# Visible ASCII, without the wildcards: a name that held one could not be told from a pattern.
_CACHE_NAME = re.compile(rf"[!-)+->@-~]{{1,{CACHE_NAME_MAX}}}")


def questions_key(worker: str) -> str:
    """The stream of questions for a worker."""
    return f"fluxgate:questions:{worker}"


def commands_key(worker: str) -> str:
    """The stream of commands for a worker."""
    return f"fluxgate:{{{worker}}}:commands"


def dead_commands_key(worker: str) -> str:
    """The stream of commands that a worker could not handle."""
    return commands_key(worker) + ".dead"


def reply_key(command_id: str) -> str:
    """What came of a command."""
    return f"fluxgate:reply:{command_id}"


def cache_key(name: str) -> str:
    """A cached answer. Its name is made of checked identifiers, such as `game:halo`, and begins with its family.

    All of a family lies in one slot, so that one script may touch an answer and the index. Raises ValueError for a name
    that is none: it would be found by no pattern.
    """
    return cache_prefix(name) + name


def cache_prefix(name: str) -> str:
    """What the keys of a whole family begin with. Raises ValueError as `cache_key` does."""
    family, colon, _ = name.partition(":")
    if not colon or family not in CACHE_FAMILIES or not _CACHE_NAME.fullmatch(name):
        raise ValueError(f"{name[:CACHE_NAME_MAX]!r} cannot be the name of a cached answer.")
    return f"fluxgate:{{cache:{family}}}:"


def cached_key(family: str) -> str:
    """The names of the cached answers of one family, each by when it lapses, in milliseconds since 1970."""
    return f"fluxgate:{{cache:{family}}}:names"


def throttle_key(what: str) -> str:
    """The token bucket of whoever tries to log in; in one slot all, because one step takes from several."""
    return f"fluxgate:{{throttle}}:{blake2b(what.encode(), digest_size=16).hexdigest()}"


def pace_key(what: str) -> str:
    """How fast an upstream has said to let somebody go."""
    return f"fluxgate:pace:{blake2b(what.encode(), digest_size=16).hexdigest()}"


def nonce_key(nonce: bytes) -> str:
    """What a nonce came with; in one slot all, because a message may have two."""
    return f"fluxgate:{{nonces}}:{blake2b(nonce, digest_size=16).hexdigest()}"


def product_digest(product_id: str) -> str:
    """32 hex digits that stand for a product in a key."""
    return blake2b(product_id.encode(), digest_size=16).hexdigest()


def lane_of(product_id: str, lanes: int) -> int:
    """The lane that a product is sold in."""
    if lanes == 1:
        return 0
    return int.from_bytes(blake2b(product_id.encode(), digest_size=8, person=b"lane").digest()) % lanes


def lane_of_order(lane: int, lanes: int) -> int:
    """The lane that answers for an order whose id names `lane`: that one, or where there are fewer now, another."""
    return lane % lanes


class LaneKeys:
    """The keys of one lane of `count`. Every attribute is a whole key, every method makes one."""

    __slots__ = (
        "_prefix",
        "bucket",
        "count",
        "dead",
        "events",
        "figures",
        "gates",
        "lane",
        "lanes",
        "outbox",
        "proof",
        "sales",
    )

    def __init__(self, lane: int, count: int = 1) -> None:
        self.lane = lane
        self.count = count
        self._prefix = f"{{lane:{lane}}}:"
        self.lanes = self._prefix + "lanes"
        self.bucket = self._prefix + "bucket"
        self.sales = self._prefix + "sales"
        self.outbox = self._prefix + "outbox"
        self.dead = self._prefix + "outbox.dead"
        self.figures = self._prefix + "figures"
        self.proof = self._prefix + "proof"
        self.events = self._prefix + "events"
        self.gates = self._prefix + "gates"

    def product(self, digest: str) -> tuple[str, str, str]:
        """Sale, stock and buyers of a product, in the order that every script takes them."""
        prefix = self._prefix
        return f"{prefix}sale:{digest}", f"{prefix}stock:{digest}", f"{prefix}buyers:{digest}"

    def order(self, digest: str) -> str:
        """The record of the order whose idempotency key has this digest (16 hex digits)."""
        return f"{self._prefix}order:{digest}"

    def client(self, address: str) -> str:
        """The token bucket of a client address."""
        return f"{self._prefix}client:{blake2b(address.encode(), digest_size=12).hexdigest()}"


def every_lane(lanes: int) -> tuple[LaneKeys, ...]:
    """The keys of all lanes."""
    return tuple(LaneKeys(lane, lanes) for lane in range(lanes))
