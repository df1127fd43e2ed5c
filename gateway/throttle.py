"""How often somebody may try to log in or to register, before anything is hashed for it.

Who guesses passwords must meet a bound; but whoever can fill that bound for others locks them out. So an account has a
narrow bound for each address that tries it, and one for all addresses together that is far too wide for a few of them
to fill. From an address where somebody has logged in lately, that wide bound does not count for him: however many try
his account from elsewhere, he gets in. What was no wrong guess is given back to the account.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

import lua
from contract.errors import NotReady
from gateway.envelope import refuse
from gateway.gate import Call
from gateway.redis_faults import as_not_ready


class Limit(NamedTuple):
    """Tries at once, and the seconds in which one more is gained."""

    burst: int
    token_s: float


LOGIN_FROM_ADDRESS_TO_ACCOUNT = Limit(10, 60)
"""Ten slips of the finger, then one a minute: a guesser gets through 1,450 passwords a day, and knows which are worth
it only if they are among the first that anybody tries, which no account may have."""
LOGIN_TO_ACCOUNT = Limit(200, 10)
"""All addresses together: 8,840 guesses a day. To keep it empty takes ten addresses that do nothing else."""
LOGIN_FROM_ADDRESS = Limit(100, 1)
"""All accounts together: an office or a mobile network shares an address; and each try costs us 50 ms of hashing."""
REGISTER_FROM_ADDRESS = Limit(100, 5)
"""A school class at once, and 17,000 accounts a day, which are rows that somebody has to keep."""
REGISTER_ACCOUNT = Limit(5, 60)
"""One address of mail: whether it has an account is told here, by the contract, so it is not told fast."""
KNOWN_TTL_S = 30 * 86_400
"""How long an address is one where somebody has logged in lately."""
NETWORK_BITS = 64
"""An address of version 6 counts as its network: a household has that many bits to choose from."""


class Attempt(NamedTuple):
    """A try to log in that was let through: what it took from the account, and who it was from where."""

    call: Call
    buckets: tuple[lua.Bucket, ...]
    pair: str

    async def was_no_guess(self) -> None:
        """It did not fail for a wrong password: the account gets its tokens back."""
        # It is over, and what came of it is told, whatever becomes of this.
        with suppress(NotReady), as_not_ready():
            await lua.give_back(self.call.gate.redis, self.buckets)

    async def succeeded(self) -> None:
        """It was the right password, so this address is one of the account's."""
        await self.was_no_guess()
        with suppress(NotReady), as_not_ready():
            await lua.mark_known(self.call.gate.redis, self.pair, KNOWN_TTL_S)


async def admit_login(call: Call, email: str) -> Attempt:
    """Let somebody try a password. Raises Refused with 429 for one try too many, NotReady."""
    account, address = account_of(email), network_of(call)
    pair = f"login {address} {account}"
    own = (_bucket(pair, LOGIN_FROM_ADDRESS_TO_ACCOUNT),)
    with as_not_ready():
        if not await lua.is_known(call.gate.redis, pair):
            own += (_bucket(f"login {account}", LOGIN_TO_ACCOUNT),)
    await _take(call, (*own, _bucket(f"login from {address}", LOGIN_FROM_ADDRESS)))
    return Attempt(call, own, pair)


async def admit_registration(call: Call, email: str) -> None:
    """Let somebody make an account. Raises Refused with 429 for one too many, NotReady."""
    account, address = account_of(email), network_of(call)
    buckets = (
        _bucket(f"register {account}", REGISTER_ACCOUNT),
        _bucket(f"register from {address}", REGISTER_FROM_ADDRESS),
    )
    await _take(call, buckets)


def account_of(email: str) -> str:
    """An address of mail as the auth worker looks for it: however it is written, it is one account."""
    return email.strip().lower()


def network_of(call: Call) -> str:
    """Where a request comes from, as far as somebody can choose it."""
    text = call.gate.visitors.address(call.scope)
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), NETWORK_BITS), strict=False))


def _bucket(whom: str, limit: Limit) -> lua.Bucket:
    return lua.Bucket(whom, limit.token_s, limit.burst)


async def _take(call: Call, buckets: Sequence[lua.Bucket]) -> None:
    with as_not_ready():
        wait_s = await lua.take_tokens(call.gate.redis, buckets)
    if wait_s > 0:
        later = ("retry-after", str(math.ceil(wait_s)))
        message = "Too many attempts. Come back later."
        refuse(call.request_id, 429, "TOO_MANY_ATTEMPTS", message, later, retryable=True, action="retry_later")
