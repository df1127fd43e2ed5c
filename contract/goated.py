"""What gateway and workers share of races, affiliates, users and verification: bodies of commands, and their limits."""

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PAGE_DEFAULT = 30
PAGE_MAX = 100
STANDINGS_DEFAULT = 10
"""Participants of a race that are shown where nobody asks for more."""
DEPTH_MAX = 10_000
"""The last page that can be asked for: what lies behind it nobody reads, and it costs more with each page."""
FOUND_MAX = 10_000
"""How far a search for people can be paged, and how far it counts: nobody reads on, and skipping rows costs as much as
reading them."""
STALE_AFTER = timedelta(minutes=11)
"""Two schedules and a minute: a fetch that has failed once is no news, and one that has failed twice is."""
BATCH_MAX = 100
QUERY_MAX = 64
UID_MAX = 64
_TEXT = r"^[^\x00-\x1f\x7f]*\Z"
Period = Literal["today", "weekly", "monthly", "all_time"]
Which = Literal["current", "previous"]
Page = Annotated[int, Meta(ge=1, le=DEPTH_MAX)]
Limit = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
UserId = Annotated[str, Meta(min_length=1, max_length=128, pattern=_TEXT)]


class RacePage(msgspec.Struct, frozen=True):
    """A page of the standings of a race."""

    which: Which = "current"
    page: Page = 1
    limit: Limit = STANDINGS_DEFAULT


class BoardPage(msgspec.Struct, frozen=True):
    """A page of the affiliate leaderboard."""

    period: Period = "monthly"
    page: Page = 1
    limit: Limit = PAGE_DEFAULT


class UserSearch(msgspec.Struct, frozen=True):
    """A page of the users whose name has this text in it."""

    q: Annotated[str, Meta(min_length=1, max_length=QUERY_MAX, pattern=_TEXT)]
    page: Page = 1
    limit: Limit = PAGE_DEFAULT

    def __post_init__(self) -> None:
        """What no single field can tell."""
        if self.page * self.limit > FOUND_MAX:
            raise ValueError(f"A search is paged to {FOUND_MAX} people at most; narrow it")


class OneUser(msgspec.Struct, frozen=True):
    """A user by his id here, or by what Goated calls him."""

    id: UserId


class UserBatch(msgspec.Struct, frozen=True):
    """Several users."""

    ids: Annotated[list[UserId], Meta(min_length=1, max_length=BATCH_MAX)]


class ProfileChange(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a user changes of himself; what is left out stays, and null takes away what may be missing."""

    nickname: Annotated[str, Meta(min_length=1, max_length=64)] | msgspec.UnsetType = msgspec.UNSET
    first_name: Annotated[str, Meta(min_length=1, max_length=64)] | msgspec.UnsetType | None = msgspec.UNSET
    last_name: Annotated[str, Meta(min_length=1, max_length=64)] | msgspec.UnsetType | None = msgspec.UNSET
    avatar: Annotated[str, Meta(min_length=1, max_length=512)] | msgspec.UnsetType | None = msgspec.UNSET


class VerificationRequest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who somebody says that he is at Goated: by uid, or by name where no other has it."""

    goated_uid: Annotated[str, Meta(min_length=1, max_length=UID_MAX, pattern=_TEXT)] = ""
    goated_name: Annotated[str, Meta(min_length=1, max_length=200, pattern=_TEXT)] = ""

    def __post_init__(self) -> None:
        """What no single field can tell."""
        if bool(self.goated_uid) == bool(self.goated_name):
            raise ValueError("Say who you are by goatedUid or by goatedName, one of the two")


class VerificationDecision(msgspec.Struct, frozen=True, rename="camel"):
    """What an administrator decides about a request."""

    request_id: Annotated[str, Meta(min_length=36, max_length=36)]
    approve: bool = True
    reason: Annotated[str, Meta(max_length=500, pattern=_TEXT)] = ""
