"""Errors that are no fault of ours, as one sentence each. What is not among them is a bug, and stays loud."""

import socket

import asyncpg
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

import lua
from contract.settings import Settings, SettingsError
from fluxgate.embedded import resolve
from fluxgate.refusal import Refusal
from fluxgate.urls import place

# What asyncpg and the system raise when there is no Postgres to talk to. Only commands that talk to it raise them here:
# redis-py wraps its own.
NO_POSTGRES = (ConnectionError, TimeoutError, socket.gaierror, asyncpg.CannotConnectNowError)
REFUSED_BY_POSTGRES = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)


def explain(error: BaseException, given: Settings) -> str | None:
    """The sentence for an error, under these settings; None for a bug."""
    if isinstance(error, Refusal | SettingsError | lua.LanesDiffer):
        return str(error)
    redis_at, postgres_at = (place(url) for url in (resolve(given).redis_at, resolve(given).postgres_at))
    if isinstance(error, AuthenticationError | NoPermissionError):
        return f"Redis at {redis_at} refuses us: {error}; see FLUXGATE_REDIS_URL."
    if isinstance(error, RedisConnectionError | RedisTimeoutError):
        return f"Redis at {redis_at} does not answer: {_remedy(given.redis_url, 'FLUXGATE_REDIS_URL')}."
    if isinstance(error, REFUSED_BY_POSTGRES):
        return f"Postgres at {postgres_at} refuses us: {error}; see FLUXGATE_POSTGRES_URL."
    if isinstance(error, NO_POSTGRES):
        return f"Postgres at {postgres_at} does not answer: {_remedy(given.postgres_url, 'FLUXGATE_POSTGRES_URL')}."
    return None


def _remedy(given: str, variable: str) -> str:
    if given:
        return f"see whether it runs, and whether {variable} is right"
    return f"start it with `fluxgate up`, or set {variable} to one of your own"
