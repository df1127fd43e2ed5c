"""Faults: which of them pass by waiting, which are the data's own, and which are neither."""

import asyncpg
import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from workers.faults import is_bad_data, is_transient

PASSING = [
    OSError("connection refused"),
    TimeoutError(),
    asyncpg.ConnectionDoesNotExistError("gone"),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.AdminShutdownError("stopping"),
    asyncpg.CrashShutdownError("crashed"),
    asyncpg.DeadlockDetectedError("deadlock"),
    asyncpg.SerializationError("again"),
    asyncpg.LockNotAvailableError("locked"),
    asyncpg.TooManyConnectionsError("full"),
    asyncpg.DiskFullError("full"),
    asyncpg.QueryCanceledError("slow"),
    asyncpg.ReadOnlySQLTransactionError("standby"),
    asyncpg.InterfaceError("pool is closing"),
    RedisConnectionError("reset"),
    RedisTimeoutError("slow"),
    BusyLoadingError("loading"),
    OutOfMemoryError("full"),
    ReadOnlyError("replica"),
    ResponseError("MISCONF disk"),
    ResponseError("LOADING dataset"),
    ResponseError("NOREPLICAS"),
    ResponseError("BUSY script"),
    ResponseError("CLUSTERDOWN"),
]
LASTING = [
    ValueError("a bug"),
    KeyError("a bug"),
    asyncpg.UndefinedTableError("no schema"),
    asyncpg.PostgresSyntaxError("a bug"),
    asyncpg.UniqueViolationError("twice"),
    asyncpg.DataError("too long"),
    ResponseError("WRONGTYPE"),
    ResponseError("NOGROUP"),
    ResponseError("ERR something is BUSY"),
    NoScriptError("NOSCRIPT"),
    AssertionError(),
]
BAD_DATA = [
    asyncpg.DataError("invalid UUID"),
    asyncpg.CheckViolationError("quantity"),
    asyncpg.UniqueViolationError("twice"),
    asyncpg.NotNullViolationError("nothing"),
    asyncpg.StringDataRightTruncationError("too long"),
    asyncpg.CharacterNotInRepertoireError("NUL"),
]


def shown(error: BaseException) -> str:
    return f"{type(error).__name__}-{error}"


@pytest.mark.parametrize("error", PASSING, ids=shown)
def test_a_fault_of_the_servers_is_waited_out_and_blames_no_data(error: Exception) -> None:
    assert is_transient(error)
    assert not is_bad_data(error)


@pytest.mark.parametrize("error", LASTING, ids=shown)
def test_a_fault_that_waiting_does_not_cure_is_not_waited_out(error: Exception) -> None:
    assert not is_transient(error)


@pytest.mark.parametrize("error", BAD_DATA, ids=shown)
def test_what_postgres_can_never_write_is_bad_data(error: Exception) -> None:
    assert is_bad_data(error)
    assert not is_transient(error)


@pytest.mark.parametrize("error", [ValueError("a bug"), AuthenticationError("no"), OSError("away")], ids=shown)
def test_everything_else_blames_no_data(error: Exception) -> None:
    assert not is_bad_data(error)
