"""The connections of one load: opens them, sends, records, reopens what was cut, and knows when all are done.

Plain sockets under epoll instead of an event loop of asyncio, because a request then costs the generator a third
less CPU, and on a small machine the generator shares its core with the order worker and Postgres.
"""

import select
import socket
import time
from collections.abc import Callable

from bench.jobs import UNKNOWN, Job, Record, Row
from bench.loopback import LOOPBACK, loopback_port
from bench.replies import BadReplyError, parse_reply
from bench.requests import order_maker

# Connections of one load that may be cut before it gives up on a server that keeps cutting.
LOST_MAX = 10_000
# A connection that cannot be opened in this time ends the load.
DIAL_MAX_S = 5.0
# One read takes a whole reply of the gateway.
READ_BYTES = 65_536
# Answers that are read before the timer is looked at again: below a millisecond, at some 25 us each.
EVENTS_AT_ONCE = 32
# Between two looks at whether the load is over, where nothing happens.
POLL_S = 0.1

clock = time.perf_counter


class Line:
    """One keep-alive connection. `number` is the order in flight, -1 for none; times are monotonic seconds."""

    __slots__ = ("due", "number", "part", "sent", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), DIAL_MAX_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.part = b""
        self.number = -1
        self.due = 0.0
        self.sent = 0.0


class Crew:
    """All connections of one load. `ready(line)` is called whenever one has nothing in flight."""

    def __init__(self, job: Job, record: Record, ready: Callable[[Line], None]) -> None:
        self._rows = record.rows
        self._record = record
        self._ready = ready
        self._port = loopback_port(job.url)
        self._size = job.connections
        self._make = order_maker(self._port, job.run, job.product, job.products)
        self._lines: dict[int, Line] = {}
        self._timer = -1
        self._tick: Callable[[], None] = lambda: None
        self._poll = select.epoll()

    def dial(self) -> None:
        """Open all connections; each is handed to `ready`."""
        for _ in range(self._size):
            self._open_line()

    def watch(self, timer: int, tick: Callable[[], None]) -> None:
        """Call `tick` whenever the descriptor `timer` becomes readable."""
        self._timer, self._tick = timer, tick
        self._poll.register(timer, select.EPOLLIN)

    def send(self, line: Line, number: int, due: float) -> None:
        """Send order `number`, which was due at `due` (monotonic seconds)."""
        line.number = number
        line.due = due
        line.sent = clock()
        try:
            line.socket.send(self._make(number))
        except OSError:
            self._lose(line)

    def retire(self, line: Line) -> None:
        """Close a connection that is needed no more; what is in flight on it gets an unknown outcome."""
        if self._lines.pop(line.socket.fileno(), None):
            self._poll.unregister(line.socket)
            line.socket.close()
        if line.number >= 0:
            ended = clock()
            self._rows.append(Row(line.number, UNKNOWN, line.due, line.sent, ended, b""))
            line.number = -1

    @property
    def in_flight(self) -> int:
        """Orders that were sent and have no answer yet."""
        return sum(line.number >= 0 for line in self._lines.values())

    def is_open(self, line: Line) -> bool:
        """Whether the connection can take a request."""
        return line.socket.fileno() >= 0

    def work(self, until: Callable[[], bool]) -> None:
        """Serve answers and ticks until `until()` holds or no connection is left; checked after every turn."""
        while self._lines and not until():
            for descriptor, _ in self._poll.poll(POLL_S, EVENTS_AT_ONCE):
                line = self._lines.get(descriptor)
                if line is not None:
                    self._read(line)
                elif descriptor == self._timer:
                    self._tick()

    def finish(self) -> None:
        """Close everything."""
        for line in list(self._lines.values()):
            self.retire(line)
        self._poll.close()

    def _read(self, line: Line) -> None:
        try:
            data = line.socket.recv(READ_BYTES)
            reply = parse_reply(line.part + data if line.part else data) if data else None
        except (OSError, BadReplyError):
            self._lose(line)
            return
        if reply is not None and line.number >= 0:
            self._rows.append(Row(line.number, reply[0], line.due, line.sent, clock(), reply[1]))
            line.number = -1
            line.part = b""
            self._ready(line)
        elif data:
            line.part += data
        else:
            self._lose(line)

    def _open_line(self) -> None:
        line = Line(self._port)
        self._lines[line.socket.fileno()] = line
        self._poll.register(line.socket, select.EPOLLIN)
        self._ready(line)

    def _lose(self, line: Line) -> None:
        """The other side cut the connection: note what was in flight, and open another."""
        self.retire(line)
        self._record.lost += 1
        if self._record.lost <= LOST_MAX:
            self._open_line()
