"""Amazon as a stand-in that answers what it is told: for what no sandbox would say."""

import contextlib
import datetime
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from contract.settings import Settings
from tests.workers.clients.stand_in import StandIn, said, standing_in
from workers.clients.amazon import Account, Amazon, AmazonFault, Window
from workers.clients.amazon_adapters import open_amazon
from workers.clients.amazon_lwa import Keep

REFRESH = "Atzr|the-refresh-token-of-a-seller"
ACCESS = "Atza|an-access-token"
SECRET = "amzn1.oa2-cs.v1.the-secret-of-the-application"
ACCOUNT = Account("user-1", "A1SELLER", "ATVPDKIKX0DER", REFRESH)
UNTIL = datetime.datetime(2026, 11, 1, 12, 30, 15, 999_999, tzinfo=datetime.UTC)
WINDOW = Window(UNTIL - datetime.timedelta(days=90), UNTIL)


def granted(access: str = ACCESS, expires_in: Any = 3600, **more: Any) -> bytes:
    """An answer of Login with Amazon."""
    return told(
        {"access_token": access, "token_type": "bearer", "expires_in": expires_in, "refresh_token": REFRESH, **more}
    )


def told(document: Any, *headers: str, status: int = 200) -> bytes:
    """An answer of JSON."""
    return said(json.dumps(document).encode(), *headers, status=status)


def refused(status: int, code: str, message: str = "", details: str = "", *headers: str) -> bytes:
    """An answer of the Selling Partner API that is none."""
    return told({"errors": [{"code": code, "message": message, "details": details}]}, *headers, status=status)


@contextlib.asynccontextmanager
async def amazon_stands_in(
    redis_url: str, api: list[bytes], lwa: list[bytes] | None = None, keep: Keep | None = None, **changes: Any
) -> AsyncGenerator[tuple[Amazon, StandIn, StandIn]]:
    """A client inside the block, and what it speaks to: the API and Login with Amazon."""
    async with standing_in(*api) as there, standing_in(*(lwa or [granted()])) as login:
        given: dict[str, Any] = {"amazon_url": there.url, "amazon_lwa_url": f"{login.url}/auth/o2/token"} | changes
        amazon = open_amazon(Settings(redis_url=redis_url, amazon_client_secret=SECRET, **given), keep)
        try:
            yield amazon, there, login
        finally:
            await amazon.close()


async def fault_of(call: Any) -> AmazonFault:
    """What a call raises."""
    with pytest.raises(AmazonFault) as fault:
        await call
    return fault.value
