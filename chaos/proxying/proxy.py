"""A TCP proxy on loopback that can break what passes through it: the fault suite's own, because it has to tell whose
connection it is, and to break it at a certain request.

    async with proxying(5432, Family().role) as proxy:
        with proxy.rule(Rule(ORDERS, CutReply(b"COMMIT;", times=1))) as strikes:
            await strikes.reach(1, within_s=5)
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator

from bench.loopback import LOOPBACK
from bench.ports import free_port
from chaos.proxying.link import Link
from chaos.proxying.roles import Whose
from chaos.proxying.rules import Rule, Strikes

# As many as the gateway lets wait: a crowd comes through here too.
BACKLOG = 4096


class Proxy:
    """Stands before `target_port`. Whoever connects to `port` has the role that `whose` finds."""

    def __init__(self, target_port: int, whose: Whose) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._whose = whose
        self._rules: list[Strikes] = []
        # What keeps them is here until it has ended, and after that if it ended with an error.
        self._links: dict[Link, asyncio.Task[None]] = {}

    @contextlib.contextmanager
    def rule(self, rule: Rule) -> Generator[Strikes]:
        """A fault for as long as the block lasts; gives how often it strikes."""
        strikes = Strikes(rule)
        self._rules.append(strikes)
        try:
            self._follow_rules()
            yield strikes
        finally:
            self._rules.remove(strikes)
            self._follow_rules()

    def connections(self, role: str) -> int:
        """How many connections a role has now."""
        return sum(link.role == role for link in self._links)

    def make_link(self) -> asyncio.Protocol:
        """The protocol of a connection that has just come."""
        return Link(self._rules, self._accepted).client

    async def end(self) -> None:
        """Reset every connection. Raises what went wrong with any of them, ever."""
        for link in list(self._links):
            link.reset()
        await asyncio.gather(*self._links.values())

    def _follow_rules(self) -> None:
        for link in list(self._links):
            link.follow_rules()

    def _accepted(self, link: Link, client_port: int) -> None:
        self._links[link] = asyncio.create_task(self._serve(link, client_port))

    async def _serve(self, link: Link, client_port: int) -> None:
        await link.open(self._whose(client_port, self.port), self._target_port)
        await link.gone.wait()
        del self._links[link]


@contextlib.asynccontextmanager
async def proxying(target_port: int, whose: Whose) -> AsyncGenerator[Proxy]:
    """A proxy that listens inside the block; at its end all connections are reset."""
    proxy = Proxy(target_port, whose)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(proxy.make_link, LOOPBACK, proxy.port, backlog=BACKLOG)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
