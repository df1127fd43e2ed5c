"""One proxied connection: the client's, the one that is made for it to the server, and the rules that both meet."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from bench.loopback import LOOPBACK
from chaos.proxying.flow import End, Flow, reset
from chaos.proxying.rules import Cut, CutReply, Delay, Hold, Slice, Strikes

# How long the way to the server may take: loopback needs an instant, and what the client sends meanwhile is kept here.
OPEN_WITHIN_S = 5.0


class Link:
    """From the accepted connection to the end of both. `rules` are the proxy's, and change while it lives.

    `accepted` is told of it, and of the client's port; somebody then has to `open` it.
    """

    def __init__(self, rules: Sequence[Strikes], accepted: Callable[["Link", int], None]) -> None:
        self.role = ""
        self.gone = asyncio.Event()
        self._rules = rules
        self._accepted = accepted
        self._opened = False
        self._early: list[bytes | End] = []
        self._requests = Flow(self._closed)
        self._replies = Flow(self._closed)
        self.client = Side(self._requests, self._replies, self._request, self._come, self._lost)
        self._server = Side(self._replies, self._requests, self._reply, None, self._lost)
        # The last bytes of requests, as a rule's pattern may be split over two reads.
        self._tails: dict[Strikes, bytes] = {}
        # The rule that cuts the next reply, and the bytes of it that still pass.
        self._aimed: Strikes | None = None
        self._passing = 0
        self._deaf = False

    async def open(self, role: str, target_port: int) -> None:
        """Connect to the server for the client of this role; without a server its connection is reset."""
        self.role = role
        self.follow_rules()
        if self.client.is_open:
            try:
                async with asyncio.timeout(OPEN_WITHIN_S):
                    await asyncio.get_running_loop().create_connection(lambda: self._server, LOOPBACK, target_port)
            except (OSError, TimeoutError):
                self.reset()
        if not self.client.is_open:
            self.reset()
        self._opened = True
        while self._early:
            self._request(self._early.pop(0))
        self._lost()

    def follow_rules(self) -> None:
        """The rules have changed, or are met for the first time."""
        mine = self._mine()
        if self._aimed is not None and self._aimed not in mine:
            self._take_aim_back()
        held = any(isinstance(strikes.rule.fault, Hold) for strikes in mine)
        self._requests.hold(held)
        self._replies.hold(held)
        for strikes in mine:
            if isinstance(strikes.rule.fault, Cut) and self.client.is_open:
                strikes.note()
                self.reset()
        self._tails = {strikes: tail for strikes, tail in self._tails.items() if strikes in mine}

    def reset(self) -> None:
        """End both connections by RST."""
        reset(self._replies.sink)
        reset(self._requests.sink)

    def _mine(self) -> list[Strikes]:
        return [strikes for strikes in self._rules if strikes.rule.role == self.role]

    def _request(self, what: bytes | End) -> None:
        if not self._opened:
            self._early.append(what)
            return
        if isinstance(what, bytes) and self._rules and self._aimed is None:
            for strikes in self._mine():
                fault = strikes.rule.fault
                if isinstance(fault, CutReply) and self._asks_for(strikes, fault, what) and strikes.takes_aim():
                    self._aimed, self._passing = strikes, fault.passed_bytes
        self._send(self._requests, what)

    def _reply(self, what: bytes | End) -> None:
        if self._deaf and isinstance(what, bytes):
            return
        if self._aimed is None or isinstance(what, End):
            self._send(self._replies, what)
            return
        passed = what[: self._passing]
        self._passing -= len(passed)
        if passed:
            self._send(self._replies, passed)
        if len(passed) < len(what):
            self._aimed.note()
            self._aimed, self._deaf = None, True
            self._send(self._replies, End.RESET)
            # The server reads to the end what was sent to it: a RST could throw a request away that it has not read.
            self._send(self._requests, End.CLOSED)

    def _asks_for(self, strikes: Strikes, fault: CutReply, data: bytes) -> bool:
        text = self._tails.get(strikes, b"") + data
        self._tails[strikes] = text[max(0, len(text) + 1 - len(fault.request)) :]
        return fault.request in text

    def _take_aim_back(self) -> None:
        if self._aimed is not None:
            self._aimed.aimed -= 1
            self._aimed = None

    def _send(self, flow: Flow, what: bytes | End) -> None:
        if not self._rules:
            flow.push(what)
            return
        delay_s = apart_s = 0.0
        pieces: list[bytes | End] = [what]
        for strikes in self._mine():
            fault = strikes.rule.fault
            if isinstance(fault, Delay):
                delay_s += fault.seconds
            elif isinstance(fault, Slice) and isinstance(what, bytes) and len(what) > fault.piece_bytes:
                pieces = [what[at : at + fault.piece_bytes] for at in range(0, len(what), fault.piece_bytes)]
                apart_s = fault.apart_s
            elif not isinstance(fault, Hold):
                continue
            strikes.note()
        for number, piece in enumerate(pieces):
            flow.push(piece, delay_s + number * apart_s)

    def _come(self, client: asyncio.Transport) -> None:
        self._accepted(self, client.get_extra_info("peername")[1])

    def _lost(self) -> None:
        if self._opened and not self.client.stands and not self._server.stands:
            self._take_aim_back()
            self.gone.set()

    def _closed(self) -> None:
        """Both have said their last word."""
        if self._requests.closed and self._replies.closed:
            for transport in (self._requests.sink, self._replies.sink):
                if transport is not None:
                    transport.close()


class Side(asyncio.Protocol):
    """One end of a link: what it reads goes into `outgoing`, what it writes comes from `incoming`."""

    def __init__(
        self,
        outgoing: Flow,
        incoming: Flow,
        read: Callable[[bytes | End], None],
        made: Callable[[asyncio.Transport], None] | None,
        lost: Callable[[], None],
    ) -> None:
        # From when the connection is made until it is closed.
        self.stands = False
        self._outgoing = outgoing
        self._incoming = incoming
        self._read = read
        self._made = made
        self._lost = lost

    @property
    def is_open(self) -> bool:
        """Whether it stands, and has not been told to close."""
        return self.stands and self._incoming.sink is not None and not self._incoming.sink.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self.stands = True
        self._outgoing.source = self._incoming.sink = cast(asyncio.Transport, transport)
        if self._made is not None:
            self._made(self._incoming.sink)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._read(data)

    def eof_received(self) -> bool:
        """Pass it on; the other direction may still be in use."""
        self._read(End.CLOSED)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on where it was not our own doing."""
        self.stands = False
        self._outgoing.source = None
        self._incoming.drop()
        if exc is not None:
            self._read(End.RESET)
        self._lost()

    def pause_writing(self) -> None:
        """The other process reads too slowly."""
        self._incoming.choke(True)

    def resume_writing(self) -> None:
        """It has read."""
        self._incoming.choke(False)
