"""Postgres in one process: the tables of `sql/schema`, transactions, unique keys and row locks, at READ COMMITTED.

A statement is a generator: where it has to wait for another transaction it yields that one, and goes on once it has
ended. What it answers, and whom it waits for, is compared with a real Postgres by `test_postgres_model.py`.
"""

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import asyncpg

from tests.simulation.network import Server

Key = tuple[Any, ...]
Row = dict[str, Any]
Steps = Generator["Transaction", None, Any]


class Transaction:
    """What one transaction has written and locked, and who waits for its end."""

    def __init__(self, snapshot: dict[Key, Row] | None = None) -> None:
        self.writes: dict[Key, Row | None] = {}
        self.locks: list[Key] = []
        self.snapshot = snapshot
        self.failed = False
        self.waits_for: Transaction | None = None
        self.enders: list[Callable[[], None]] = []


class PostgresModel(Server):
    """The rows that are committed, and the locks that are held.

    `transactional`, `locks_hold`, `one_order_per_key` and `conflicts_are_left_alone` are true of the real one, and of
    our queries; a mutation makes one of them false.
    """

    def __init__(self) -> None:
        super().__init__(
            lambda: ConnectionRefusedError("Connection refused"),
            lambda: asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        )
        self.rows: dict[Key, Row] = {}
        self.locks: dict[Key, Transaction] = {}
        self.sessions: dict[Session, None] = {}
        self.transactional = True
        self.locks_hold = True
        self.one_order_per_key = True
        self.conflicts_are_left_alone = True

    def leave(self) -> None:
        """Go away: what is not committed has never been."""
        for session in list(self.sessions):
            session.close()
        super().leave()

    def table(self, name: str) -> list[Row]:
        """The committed rows of a table."""
        return [row for key, row in self.rows.items() if key[0] == name]

    def see(self, transaction: Transaction, key: Key) -> Row | None:
        """A row as this transaction sees it now."""
        if key in transaction.writes:
            return transaction.writes[key]
        return (self.rows if transaction.snapshot is None else transaction.snapshot).get(key)

    def lock(self, transaction: Transaction, key: Key) -> Steps:
        """Lock a row; gives it as it stands then."""
        while self.locks_hold and (holder := self.locks.get(key)) not in (None, transaction):
            yield holder
        self._hold(transaction, key)
        return self.see(transaction, key)

    def insert(self, transaction: Transaction, rows: dict[Key, Row]) -> Steps:
        """Write these rows, unless one of their keys stands already; gives whether they were written."""
        free: set[Key] = set()
        while len(free) < len(rows):
            # The keys are looked at in their order, and from the beginning after every wait.
            key = next(key for key in rows if key not in free)
            standing = self.see(transaction, key)
            # Somebody is writing the same key, or changing the row that has it: only the end of that tells.
            writer = self._writer(transaction, key, standing)
            if writer:
                yield writer
                free.clear()
            elif standing is not None:
                return False
            else:
                free.add(key)
        for key, row in rows.items():
            self._hold(transaction, key)
            transaction.writes[key] = row
        return True

    def end(self, transaction: Transaction, *, commit: bool) -> None:
        """Commit, or forget; whoever waits goes on."""
        if commit and not transaction.failed:
            for key, row in transaction.writes.items():
                if row is None:
                    self.rows.pop(key, None)
                else:
                    self.rows[key] = row
        for key in transaction.locks:
            del self.locks[key]
        transaction.locks, transaction.writes = [], {}
        enders, transaction.enders = transaction.enders, []
        for go_on in enders:
            asyncio.get_running_loop().call_soon(go_on)

    def _writer(self, transaction: Transaction, key: Key, standing: Row | None) -> Transaction | None:
        """Who else has written what is under this key, and may still undo it."""
        row_key = ("order", standing["order_id"]) if standing and key[0] == "key" else key
        holder = self.locks.get(row_key)
        return holder if holder not in (None, transaction) and row_key in holder.writes else None

    def _hold(self, transaction: Transaction, key: Key) -> None:
        if key not in self.locks:
            self.locks[key] = transaction
            transaction.locks.append(key)


class Session:
    """One connection as the server has it."""

    def __init__(self, model: PostgresModel, queries: dict[str, Callable[..., Steps]]) -> None:
        self._model = model
        self._queries = queries
        self._transaction: Transaction | None = None
        self.closed = False
        model.sessions[self] = None

    def begin(self, isolation: str) -> None:
        """Begin a transaction."""
        self._check()
        repeatable = isolation == "repeatable_read"
        self._transaction = Transaction(dict(self._model.rows) if repeatable else None)

    def commit(self) -> None:
        """Commit it. One that has failed is rolled back."""
        self._check()
        self._end(commit=True)

    def rollback(self) -> None:
        """Roll it back."""
        self._check()
        self._end(commit=False)

    def close(self) -> None:
        """The client has gone: what was not committed has never been."""
        self.closed = True
        self._model.sessions.pop(self, None)
        self._end(commit=False)

    def run(self, query: str, arguments: tuple[Any, ...]) -> Any:
        """The rows of a statement, or a future of them where it has to wait."""
        self._check()
        alone = self._transaction is None
        transaction = self._transaction or Transaction()
        steps = self._queries[query](self._model, transaction, *arguments)
        if transaction.failed:
            raise asyncpg.InFailedSQLTransactionError("current transaction is aborted")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._go_on(steps, transaction, alone, answer)
        return answer

    def _go_on(self, steps: Steps, transaction: Transaction, alone: bool, answer: asyncio.Future[Any]) -> None:
        transaction.waits_for = None
        if self.closed:
            steps.close()
            _fail(answer, self._model.cut())
            return
        try:
            holder = next(steps)
            _refuse_a_ring(transaction, holder)
        except StopIteration as done:
            if alone or not self._model.transactional:
                self._model.end(transaction, commit=True)
            if not answer.done():
                answer.set_result(done.value)
        except asyncpg.PostgresError as error:
            # What the driver itself refuses never reaches the server; what the server refuses undoes all at once.
            if type(error) is not asyncpg.DataError:
                transaction.failed = True
                self._model.end(transaction, commit=False)
            _fail(answer, error)
        else:
            transaction.waits_for = holder
            holder.enders.append(lambda: self._go_on(steps, transaction, alone, answer))

    def _end(self, *, commit: bool) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction:
            self._model.end(transaction, commit=commit)

    def _check(self) -> None:
        if self.closed:
            raise self._model.cut()


def _refuse_a_ring(transaction: Transaction, holder: Transaction) -> None:
    """Two that wait for each other would do so for ever."""
    found: Transaction | None = holder
    while found:
        if found is transaction:
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        found = found.waits_for


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
