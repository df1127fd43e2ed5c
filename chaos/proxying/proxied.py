"""A house with a proxy before each of its doors: buyers reach the gateway, and everything of ours reaches Valkey and
Postgres, through one that can break what passes. The operator's tools go direct."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bench.loopback import LOOPBACK
from chaos.house import House, house_settings
from chaos.proxying.proxy import Proxy, proxying
from chaos.proxying.roles import Family, buyers
from chaos.system import running_system
from fluxgate import embedded


@dataclass(frozen=True)
class Proxies:
    """What the faults of the network have in their hands."""

    front: Proxy
    redis: Proxy
    postgres: Proxy


@contextlib.asynccontextmanager
async def proxied(directory: Path) -> AsyncGenerator[House]:
    """A house whose network can be broken; both servers are durable, and run beside the system and not below it."""
    settings = house_settings(directory / "data")
    whose = Family().role
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        redis_url = await enter(embedded.valkey(settings.data_dir / "valkey", settings.redis_port))
        postgres_url = await enter(embedded.postgres(settings.data_dir / "postgres", settings.postgres_port))
        redis = await enter(proxying(settings.redis_port, whose))
        postgres = await enter(proxying(settings.postgres_port, whose))
        front = await enter(proxying(settings.port, buyers))
        broken = msgspec.structs.replace(
            settings, redis_url=_through(redis, redis_url), postgres_url=_through(postgres, postgres_url)
        )
        system = await enter(running_system(broken))
        direct = msgspec.structs.replace(settings, redis_url=redis_url, postgres_url=postgres_url)
        yield House(direct, system, front.port, hands=Proxies(front, redis, postgres), stack=stack)


def _through(proxy: Proxy, url: str) -> str:
    """The URL of a server by way of a proxy; user, password and database stay."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at}{LOOPBACK}:{proxy.port}").geturl()
