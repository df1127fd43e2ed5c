"""What the months of races are, and what a fetch of the leaderboard means for the race that is open. Pure.

Goated counts by the month of a zone that it does not tell. That its month is over shows when the figures of the month
fall: they have begun anew. Until then they still belong to the race whose time is over, for TRANSITION at most.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contract.settings import SettingsError

TRANSITION = timedelta(hours=24)
ZONES_APART = timedelta(hours=26)
"""Between the first zone and the last, UTC+14 and UTC-12: so long is it the last day of a month somewhere and the first
of the next elsewhere."""
LATE = timedelta(hours=48)
"""So long after the start of a race the reset before it may still show: for its zone, and because Goated may be away
meanwhile, or tell old figures."""
FIRST_ZONE = timezone(timedelta(hours=14))
"""Where each month begins first."""
HOLDS_MAX = 3
"""Fetches in a row that are refused because a few figures have begun anew, and not most: a reset that is under way is
over by then, and what is left is a correction."""

Status = Literal["live", "transition"]


class Month(NamedTuple):
    """A month of a zone: its name, as 202504, its first moment, and the first moment behind it, both in UTC."""

    id: str
    starts_at: datetime
    ends_at: datetime


class Race(NamedTuple):
    """The race that is open. Its times stay as they were when it was opened."""

    id: str
    starts_at: datetime
    ends_at: datetime
    status: Status


class Change(NamedTuple):
    """What a fetch would change. Of those who had wagered anything this month, and who still are there, `met` counts
    all, `fell` those who have less now, `zeroed` those who have nothing; of those who had wagered anything at all,
    `known` counts all and `lost` those who have less now or are gone.
    `has_month_fallen` is of the sum of the month.
    """

    people_before: int
    people: int
    met: int
    fell: int
    zeroed: int
    known: int
    lost: int
    has_month_fallen: bool

    @property
    def is_collapse(self) -> bool:
        """Whether it takes away what nothing takes away: people, or what they have wagered in all their time."""
        is_emptied = self.people == 0 and self.people_before > 0
        return is_emptied or (self.lost > 1 and 2 * self.lost > self.known)

    @property
    def is_reset(self) -> bool:
        """Whether the month has begun anew. A single figure that becomes less, and not nothing, is a correction."""
        has_most = 2 * self.fell > self.met and (self.fell > 1 or self.zeroed > 0)
        return has_most and self.has_month_fallen and not self.is_collapse


class Plan(NamedTuple):
    """What is to be done with a fetch, in this order: complete the open race from the figures that are kept, let it go
    over into transition, open the next; and only then take the figures. `refused` says why nothing is to be done."""

    refused: str = ""
    completed_by: Literal["", "reset", "time"] = ""
    is_over: bool = False
    opens: Month | None = None


NOTHING = Plan()


def read_zone(name: str) -> ZoneInfo:
    """The time zone of this name. Raises SettingsError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"FLUXGATE_GOATED_ZONE must be a time zone such as Europe/Berlin, not {name!r}.") from None


def month_of(moment: datetime, zone: ZoneInfo) -> Month:
    """The month of a zone that a moment lies in."""
    local = moment.astimezone(zone)
    month = _month(local.year, local.month, zone)
    # Where clocks are changed about midnight, the last day of a month may come back for an hour, or its first moment be
    # left out.
    by = -1 if moment < month.starts_at else 1 if moment >= month.ends_at else 0
    return _month(*_next(local.year, local.month, by), zone) if by else month


def month_after(race_id: str, zone: ZoneInfo) -> Month:
    """The month behind the one of this id."""
    return _month(*_next(*_parts(race_id)), zone)


def next_month(last_id: str, now: datetime, zone: ZoneInfo) -> Month:
    """The month whose race is opened now, behind the one that was completed last; its id is empty where there is none.

    It may lie ahead, because Goated's month has ended first. Months in which nothing was fetched have no race.
    """
    current = month_of(now, zone)
    return max(current, month_after(last_id, zone)) if last_id else current


def earliest_reset(race: Race) -> datetime:
    """The moment from which the next month has begun somewhere."""
    return datetime(*_next(*_parts(race.id)), 1, tzinfo=FIRST_ZONE).astimezone(UTC)


def status_at(race: Race, now: datetime) -> Status:
    """What a race is, also while nothing can be fetched that would say so."""
    return "transition" if now >= race.ends_at else race.status


def told(moment: datetime) -> str:
    """A moment as it is told: in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plan(
    race: Race | None,
    last_id: str,
    change: Change | None,
    now: datetime,
    zone: ZoneInfo,
    *,
    held: int = 0,
    accept: bool = False,
) -> Plan:
    """What a good fetch means. `last_id` is the race that was completed last, or empty; `change` is None where Goated
    has told the same as before; `held` counts the fetches in a row that were refused before; `accept` takes anything.
    """
    if change is not None and not accept and (refused := _refused(race, change, now, held)):
        return Plan(refused=refused)
    if race is None:
        return Plan(opens=next_month(last_id, now, zone))
    is_reset = change is not None and change.is_reset and now >= earliest_reset(race)
    if is_reset or now >= race.ends_at + TRANSITION:
        return Plan(completed_by="reset" if is_reset else "time", opens=next_month(race.id, now, zone))
    return Plan(is_over=True) if now >= race.ends_at and race.status == "live" else NOTHING


def _refused(race: Race | None, change: Change, now: datetime, held: int) -> str:
    if change.is_collapse:
        return (
            f"Goated tells of {change.people} people where there were {change.people_before}; of {change.known} who had"
            f" wagered anything, {change.lost} would have less or be gone."
        )
    if race is None:
        return ""
    is_near_end = now >= earliest_reset(race)
    if change.is_reset and change.fell > 1 and not is_near_end and now >= race.starts_at + LATE:
        return f"The figures of {change.fell} of {change.met} people have begun anew in the middle of the month."
    is_awaited = is_near_end and now < race.ends_at + TRANSITION
    if is_awaited and change.zeroed > 1 and not change.is_reset and held < HOLDS_MAX:
        return f"The month begins anew: of {change.met} people {change.zeroed} have nothing, and the others wait."
    return ""


def _month(year: int, month: int, zone: ZoneInfo) -> Month:
    return Month(f"{year:04d}{month:02d}", _first(year, month, zone), _first(*_next(year, month), zone))


def _first(year: int, month: int, zone: ZoneInfo) -> datetime:
    """The first midnight of a month; where the clocks leave it out, the moment at which they do."""
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)


def _next(year: int, month: int, by: int = 1) -> tuple[int, int]:
    years, months = divmod(year * 12 + month - 1 + by, 12)
    return years, months + 1


def _parts(race_id: str) -> tuple[int, int]:
    return int(race_id[:4]), int(race_id[4:])
