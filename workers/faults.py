"""Tells a fault that passes (a server is away, a lock was lost) from one that will come again with the same command."""

import asyncpg
from redis.exceptions import (
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

TRANSIENT = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.PostgresIOError,
    asyncpg.ReadOnlySQLTransactionError,
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
)
"""Waiting helps against these: nothing is wrong with what was being written."""

_TRANSIENT_REPLIES = ("MISCONF", "LOADING", "MASTERDOWN", "NOREPLICAS", "BUSY", "CLUSTERDOWN", "TRYAGAIN")


def is_transient(error: BaseException) -> bool:
    """True when the same work may succeed later without any change to it."""
    if isinstance(error, TRANSIENT):
        return True
    return isinstance(error, RedisError) and str(error).startswith(_TRANSIENT_REPLIES)


def is_bad_data(error: BaseException) -> bool:
    """True when Postgres says that this very data can never be written."""
    return isinstance(error, (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError))


def is_damage(error: BaseException) -> bool:
    """True when a key holds another type than ours: somebody has changed it by hand, and has to mend it."""
    return isinstance(error, RedisError) and str(error).startswith("WRONGTYPE")
