"""Access tokens as one gateway process checks them: by the public key, and each of them once while it is in use."""

import time
from collections import OrderedDict
from hashlib import blake2b

from contract.access_tokens import Claims, read_access_token
from contract.auth_keys import PublicKeys

KNOWN_MAX = 8192
"""Tokens that are remembered, some 5 MB of them. To check one anew costs a fifth of a millisecond, and nothing else."""


class AccessTokens:
    """Checks tokens, and remembers which were good. `public` also seals what only the auth worker may read."""

    def __init__(self, public: PublicKeys) -> None:
        self.public = public
        self._known: OrderedDict[bytes, Claims] = OrderedDict()

    def read(self, token: str) -> Claims:
        """What a token says. Raises BadAccessToken."""
        # A process that is looked into holds no token that could be used.
        digest = blake2b(token.encode(), digest_size=16).digest()
        claims = self._known.get(digest)
        if claims is not None and time.time() < claims.exp:
            self._known.move_to_end(digest)
            return claims
        claims = read_access_token(self.public, token)
        self._known[digest] = claims
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return claims
