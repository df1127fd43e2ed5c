"""Sellers who connect accounts at Amazon, for the worker driven by hand: Login with Amazon is what the test says."""

import asyncio
import hashlib
import secrets
from typing import Any, NamedTuple

import msgspec

from contract.auth_keys import PrivateKeys, private_keys
from contract.bus import BusCommand, BusReply
from contract.sealing import key_text, seal_body
from contract.settings import Settings
from tests.support.buyers import add_buyer
from tests.support.desk import command, deliver, handled
from workers import amazon_accounts, amazon_lists
from workers.amazon_account_rows import find_account
from workers.clients.amazon import AmazonFault, Grant
from workers.service import Desk, Service
from workers.vault import Vault, open_vault

REDIRECT_URI = "http://localhost:3000/api/v1/integrations/amazon/auth/callback"


class Lwa:
    """Login with Amazon. Each code is good once; whoever asks waits while `may_answer` is not set."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.fault: AmazonFault | None = None
        self.asked: list[tuple[str, str]] = []
        self.is_asked = asyncio.Semaphore(0)
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def code(self) -> tuple[str, str]:
        """A code that a seller may come back with, and the refresh token that it is worth."""
        code, token = f"AN{secrets.token_hex(8)}", f"Atzr|{secrets.token_hex(16)}"
        self.tokens[code] = token
        return code, token

    async def exchange(self, code: str, redirect_uri: str) -> Grant:
        """What the client of Amazon does."""
        self.asked.append((code, redirect_uri))
        self.is_asked.release()
        await self.may_answer.wait()
        if self.fault is not None:
            raise self.fault
        token = self.tokens.pop(code, None)
        if token is None:
            raise AmazonFault("revoked", "Amazon accepts this code no more.")
        return Grant(token)


class Tools(NamedTuple):
    """What the handlers share."""

    amazon: Lwa
    vault: Vault
    keys: PrivateKeys


def _open_tools(settings: Settings) -> Tools:
    return Tools(Lwa(), open_vault(settings), private_keys(settings))


ACCOUNTS = Service(
    "amazon", {**amazon_accounts.HANDLERS, **amazon_lists.HANDLERS}, _open_tools, query_file="amazon_accounts"
)


class Seller(NamedTuple):
    """Somebody who is logged in here, and sells at Amazon."""

    desk: Desk
    user_id: str

    @property
    def lwa(self) -> Lwa:
        """Login with Amazon, as this worker reaches it."""
        return self.desk.tools.amazon

    async def ask(self, kind: str, body: Any = None) -> BusReply:
        """What the worker replies."""
        return await handled(self.desk, ACCOUNTS, kind, body, user_id=self.user_id)

    async def data(self, kind: str, body: Any = None) -> Any:
        """What the worker replies, where all is well."""
        reply = await self.ask(kind, body)
        assert reply.status == 200, reply
        return msgspec.json.decode(reply.data)

    async def begin(self) -> str:
        """Set out for Amazon; gives the state."""
        state = key_text(secrets.token_bytes(32))
        assert await self.data("begin_consent", {"digest": digest(state)}) == {}
        return state

    def back(self, state: str, code: str, seller_id: str = "A1SELLER") -> BusCommand:
        """The command of coming back."""
        own = {"digest": digest(state), "code": code, "seller_id": seller_id, "redirect_uri": REDIRECT_URI}
        body, _ = seal_body(self.desk.tools.keys.public, own)
        return command("finish_consent", msgspec.to_builtins(body), user_id=self.user_id)

    async def finish(self, state: str, code: str, seller_id: str = "A1SELLER") -> BusReply:
        """Come back from Amazon."""
        return await deliver(self.desk, ACCOUNTS, self.back(state, code, seller_id))

    async def connect(self, seller_id: str = "A1SELLER") -> str:
        """The whole way; gives the refresh token."""
        code, token = self.lwa.code()
        reply = await self.finish(await self.begin(), code, seller_id)
        assert reply.status == 200, reply
        return token

    async def row(self) -> Any:
        """The account as it stands."""
        return await self.desk.pool.fetchrow("SELECT * FROM amazon_accounts WHERE user_id = $1", self.user_id)

    async def running(self) -> str:
        """A sync that is running; gives what it is called."""
        name = f"sync_{self.user_id}_{secrets.randbelow(10**9)}"
        await self.desk.pool.execute(
            "INSERT INTO sync_progress (id, sync_id, user_id, current_step, until)"
            " VALUES (gen_random_uuid(), $1, $2, 'Connecting to Amazon...', now())",
            name,
            self.user_id,
        )
        return name

    async def status_of(self, sync_id: str) -> str:
        """What has become of a sync."""
        return await self.desk.pool.fetchval("SELECT status FROM sync_progress WHERE sync_id = $1", sync_id)


def digest(state: str) -> str:
    """What is kept of a state."""
    return hashlib.sha256(state.encode()).hexdigest()


def problem(reply: BusReply, status: int) -> str:
    """The code of a refusal."""
    assert reply.status == status, reply
    assert reply.problem is not None
    return reply.problem.code


async def add_seller(desk: Desk) -> Seller:
    """Somebody who has connected nothing yet."""
    return Seller(desk, await add_buyer(desk))


async def token_of(seller: Seller) -> str:
    """The refresh token that acts for a seller."""
    account = await find_account(seller.desk, seller.user_id)
    assert account is not None
    return account.refresh_token
