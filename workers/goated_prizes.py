"""What a race pays: the shares of its pool as they are set, and the prizes that they make. Pure."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from contract.settings import SettingsError

CENT = Decimal("0.01")
SHARES_MAX = 100
DIGITS_MAX = 12
"""Decimal places of a share: so many of so many add up exactly in the 28 digits that Python counts with."""
_SETTING = "FLUXGATE_GOATED_PRIZES"


def read_shares(text: str) -> tuple[Decimal, ...]:
    """The shares of the pool, that of the first place first. Raises SettingsError unless they add up to exactly 1."""
    words = text.split()
    if not 1 <= len(words) <= SHARES_MAX:
        raise SettingsError(f"{_SETTING} must be 1 to {SHARES_MAX} shares with blanks between them.")
    shares = tuple(_share(word) for word in words)
    if sum(shares) != 1:
        raise SettingsError(f"{_SETTING} must add up to exactly 1, and these add up to {sum(shares)}: {text!r}.")
    return shares


def prizes_of(pool: Decimal, shares: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """The prize of each place: its share in whole cents, and what that leaves of the pool to the first. They add up to
    the pool exactly."""
    prizes = [(pool * share).quantize(CENT, ROUND_FLOOR) for share in shares]
    return (pool - sum(prizes[1:], Decimal(0)), *prizes[1:])


def unpaid_of(prizes: Sequence[Decimal], winners: int) -> Decimal:
    """What of the prizes stays, where only so many have wagered anything."""
    return sum(prizes[winners:], Decimal(0))


def _share(word: str) -> Decimal:
    try:
        share = Decimal(word)
    except InvalidOperation:
        share = Decimal("NaN")
    if not (share.is_finite() and 0 < share <= 1 and share == round(share, DIGITS_MAX)):
        raise SettingsError(
            f"{_SETTING} has the share {word!r}: each must be above 0, at most 1, and have at most {DIGITS_MAX} places."
        )
    return share
