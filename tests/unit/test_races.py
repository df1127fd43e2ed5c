"""The months of races in every zone, and what a fetch means for the race that is open."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contract.settings import SettingsError
from workers.goated_races import (
    HOLDS_MAX,
    LATE,
    NOTHING,
    TRANSITION,
    ZONES_APART,
    Change,
    Plan,
    Race,
    earliest_reset,
    month_after,
    month_of,
    next_month,
    plan,
    read_zone,
    status_at,
    told,
)

UTC_ZONE = ZoneInfo("UTC")
# Etc/GMT+12 is UTC-12; in St John's clocks went back at one minute past midnight, in Beirut and Asuncion midnight
# itself was left out.
NAMES = (
    "UTC",
    "Etc/GMT+12",
    "Etc/GMT-14",
    "Pacific/Kiritimati",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Asuncion",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
)
zones = st.sampled_from(NAMES).map(ZoneInfo)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
APRIL = Race("202504", datetime(2025, 4, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC), "live")
SAME = Change(100, 100, met=50, fell=0, zeroed=0, known=80, lost=0, has_month_fallen=False)
RESET = SAME._replace(fell=50, zeroed=48, has_month_fallen=True)
HALF_RESET = SAME._replace(fell=20, zeroed=19, has_month_fallen=True)
SECOND = timedelta(microseconds=1)


@given(moments, zones)
def test_every_moment_lies_in_exactly_one_month(moment: datetime, zone: ZoneInfo) -> None:
    month = month_of(moment, zone)
    assert month.starts_at <= moment < month.ends_at
    after = month_after(month.id, zone)
    assert after.starts_at == month.ends_at
    assert month_of(month.ends_at, zone) == after
    assert month_of(month.ends_at - SECOND, zone) == month
    assert timedelta(days=27) < month.ends_at - month.starts_at < timedelta(days=32)


@given(moments, zones)
def test_a_month_begins_at_midnight_there_or_where_midnight_is_left_out_at_once_behind_it(
    moment: datetime, zone: ZoneInfo
) -> None:
    month = month_of(moment, zone)
    local = month.starts_at.astimezone(zone)
    assert f"{local.year:04d}{local.month:02d}" == month.id
    assert (local.day, local.hour, local.minute) in ((1, 0, 0), (1, 1, 0))
    before = (month.starts_at - SECOND).astimezone(zone)
    assert (before.year, before.month) != (local.year, local.month)


@pytest.mark.parametrize(
    ("zone", "starts", "ends"),
    [
        ("UTC", "2025-03-01T00:00:00.000Z", "2025-04-01T00:00:00.000Z"),
        ("Europe/Berlin", "2025-02-28T23:00:00.000Z", "2025-03-31T22:00:00.000Z"),
        ("Pacific/Kiritimati", "2025-02-28T10:00:00.000Z", "2025-03-31T10:00:00.000Z"),
        ("Etc/GMT+12", "2025-03-01T12:00:00.000Z", "2025-04-01T12:00:00.000Z"),
    ],
)
def test_a_race_ends_where_the_next_begins_also_where_clocks_are_changed_in_it(
    zone: str, starts: str, ends: str
) -> None:
    month = month_of(datetime(2025, 3, 15, tzinfo=UTC), read_zone(zone))
    assert (month.id, told(month.starts_at), told(month.ends_at)) == ("202503", starts, ends)


def test_the_last_day_of_a_month_is_in_the_race() -> None:
    assert month_of(datetime(2025, 4, 30, 23, 59, 59, tzinfo=UTC), UTC_ZONE).id == "202504"
    assert month_after("202412", UTC_ZONE).id == "202501"


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe/ Berlin", "/etc/localtime"])
def test_a_zone_that_is_none_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(SettingsError, match="FLUXGATE_GOATED_ZONE"):
        read_zone(name)


@given(moments, zones)
def test_the_first_race_is_that_of_this_month(now: datetime, zone: ZoneInfo) -> None:
    assert plan(None, "", SAME, now, zone) == Plan(opens=month_of(now, zone))


@given(moments, zones)
def test_the_next_race_is_never_one_that_was_completed(now: datetime, zone: ZoneInfo) -> None:
    current = month_of(now, zone)
    assert next_month("", now, zone) == current
    assert next_month(current.id, now, zone) == month_after(current.id, zone)
    assert next_month("199001", now + timedelta(days=70), zone) == month_of(now + timedelta(days=70), zone)


def test_in_the_midst_of_a_month_a_fetch_means_nothing_for_the_race() -> None:
    for change in (SAME, None):
        assert plan(APRIL, "", change, APRIL.starts_at + timedelta(days=10), UTC_ZONE) == NOTHING


def test_a_race_goes_over_into_transition_exactly_at_its_end() -> None:
    assert plan(APRIL, "", SAME, APRIL.ends_at - SECOND, UTC_ZONE) == NOTHING
    assert plan(APRIL, "", SAME, APRIL.ends_at, UTC_ZONE) == Plan(is_over=True)
    assert plan(APRIL, "", None, APRIL.ends_at, UTC_ZONE) == Plan(is_over=True)
    over = APRIL._replace(status="transition")
    assert plan(over, "", SAME, APRIL.ends_at, UTC_ZONE) == NOTHING
    assert status_at(APRIL, APRIL.ends_at - SECOND) == "live"
    assert status_at(APRIL, APRIL.ends_at) == status_at(over, APRIL.starts_at) == "transition"


def test_a_race_whose_reset_never_shows_is_completed_exactly_at_the_end_of_its_transition() -> None:
    over, last = APRIL._replace(status="transition"), APRIL.ends_at + TRANSITION
    may = month_after("202504", UTC_ZONE)
    for change in (SAME, None):
        assert plan(over, "", change, last - SECOND, UTC_ZONE) == NOTHING
        assert plan(over, "", change, last, UTC_ZONE) == Plan(completed_by="time", opens=may)


@given(zones, st.timedeltas(timedelta(0), TRANSITION + timedelta(days=20)), st.sampled_from(["live", "transition"]))
def test_a_reset_completes_the_race_from_when_the_next_month_has_begun_somewhere(
    zone: ZoneInfo, later: timedelta, status: str
) -> None:
    month = month_after("202503", zone)
    race = Race(*month, "transition" if status == "transition" else "live")
    now = earliest_reset(race) + later
    after = max(month_of(now, zone), month_after(race.id, zone))
    assert plan(race, "", RESET, now, zone) == Plan(completed_by="reset", opens=after)
    # A moment earlier it is the last day of the month everywhere, and nothing resets.
    assert plan(race, "", RESET, earliest_reset(race) - SECOND, zone).refused


@given(zones)
def test_a_reset_comes_at_most_26_hours_before_the_end_and_in_utc_14(zone: ZoneInfo) -> None:
    race = Race(*month_after("202503", zone), "live")
    assert timedelta(0) <= race.ends_at - earliest_reset(race) <= ZONES_APART
    assert APRIL.ends_at - earliest_reset(APRIL) == timedelta(hours=14)


def test_an_upstream_that_was_away_for_months_has_the_race_completed_and_the_race_of_now_opened() -> None:
    now = datetime(2025, 8, 3, tzinfo=UTC)
    assert plan(APRIL, "", RESET, now, UTC_ZONE) == Plan(completed_by="reset", opens=month_of(now, UTC_ZONE))
    assert plan(APRIL, "", SAME, now, UTC_ZONE) == Plan(completed_by="time", opens=month_of(now, UTC_ZONE))


@given(st.timedeltas(LATE, timedelta(days=29, hours=9, minutes=59)))
def test_a_reset_in_the_midst_of_a_month_is_a_fault_of_goated_unless_somebody_vouches_for_it(into: timedelta) -> None:
    now = APRIL.starts_at + into
    assert "in the middle of the month" in plan(APRIL, "", RESET, now, UTC_ZONE).refused
    assert plan(APRIL, "", RESET, now, UTC_ZONE, held=99).refused
    assert plan(APRIL, "", RESET, now, UTC_ZONE, accept=True) == NOTHING


@given(st.timedeltas(timedelta(hours=-14), LATE - SECOND))
def test_a_reset_that_shows_when_the_next_race_has_begun_ends_no_race(into: timedelta) -> None:
    """Its predecessor was completed by time, or by a reset that another server of Goated's had shown before."""
    assert plan(APRIL, "202503", RESET, APRIL.starts_at + into, UTC_ZONE) == NOTHING


def test_the_fall_of_a_single_person_is_kept_and_ends_nothing() -> None:
    for now in (APRIL.starts_at + timedelta(days=10), APRIL.ends_at - timedelta(hours=1)):
        one = SAME._replace(fell=1, has_month_fallen=True)
        assert plan(APRIL, "", one, now, UTC_ZONE) == NOTHING
        assert plan(APRIL, "", one._replace(lost=1), now, UTC_ZONE) == NOTHING
        alone = one._replace(people=1, people_before=1, met=1, known=1, lost=1)
        assert plan(APRIL, "", alone, now, UTC_ZONE) == NOTHING


def test_the_only_one_who_had_wagered_resets_the_month_by_having_nothing() -> None:
    alone = Change(1, 1, met=1, fell=1, zeroed=1, known=1, lost=0, has_month_fallen=True)
    assert plan(APRIL, "", alone, APRIL.ends_at, UTC_ZONE).completed_by == "reset"
    assert plan(APRIL, "", alone, APRIL.starts_at + timedelta(days=10), UTC_ZONE) == NOTHING


@given(st.timedeltas(timedelta(hours=-14), TRANSITION - SECOND))
def test_a_reset_that_is_under_way_is_waited_for_and_not_for_ever(since_end: timedelta) -> None:
    now = APRIL.ends_at + since_end
    for held in range(HOLDS_MAX):
        assert "begins anew" in plan(APRIL, "", HALF_RESET, now, UTC_ZONE, held=held).refused
    kept = plan(APRIL, "", HALF_RESET, now, UTC_ZONE, held=HOLDS_MAX)
    assert (kept.refused, kept.completed_by) == ("", "")
    assert plan(APRIL, "", HALF_RESET, now, UTC_ZONE, accept=True) == kept


@given(moments, st.sampled_from([None, APRIL]))
def test_a_leaderboard_without_anybody_is_never_believed_where_there_was_somebody(
    now: datetime, race: Race | None
) -> None:
    empty = SAME._replace(people=0, met=0, lost=80, has_month_fallen=True)
    assert "0 people where there were 100" in plan(race, "", empty, now, UTC_ZONE).refused
    assert not plan(race, "", empty, now, UTC_ZONE, accept=True).refused
    nobody = Change(0, 0, met=0, fell=0, zeroed=0, known=0, lost=0, has_month_fallen=False)
    assert not plan(race, "", nobody, now, UTC_ZONE).refused


@given(st.integers(2, 100), st.integers(0, 100), moments)
def test_all_time_figures_do_not_fall_for_most(known: int, lost: int, now: datetime) -> None:
    assume(lost <= known)
    change = RESET._replace(known=known, lost=lost)
    is_refused = bool(plan(APRIL, "", change, max(now, APRIL.ends_at), UTC_ZONE).refused)
    assert is_refused == (lost > 1 and 2 * lost > known)


counts = st.integers(0, 200)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Anything that a fetch may change."""
    met, known = draw(counts), draw(counts)
    fell = draw(st.integers(0, met))
    people = draw(st.tuples(counts, counts))
    return Change(
        *people, met, fell, draw(st.integers(0, fell)), known, draw(st.integers(0, known)), draw(st.booleans())
    )


@given(changes() | st.none(), moments, zones, st.integers(0, 5), st.booleans(), st.sampled_from(["live", "transition"]))
def test_whatever_comes_a_plan_keeps_its_promises(
    change: Change | None, now: datetime, zone: ZoneInfo, held: int, accept: bool, status: str
) -> None:
    race = Race(*month_after("202503", zone), "transition" if status == "transition" else "live")
    made = plan(race, "202503", change, now, zone, held=held, accept=accept)
    if made.refused:
        assert not accept
        assert made == Plan(refused=made.refused)
    # One race is open at any time: a new one exactly when the old one is completed, and never the same again.
    assert bool(made.completed_by) == (made.opens is not None)
    assert made.opens is None or made.opens.id > race.id
    assert not made.completed_by or now >= earliest_reset(race)
    assert made.completed_by != "time" or now >= race.ends_at + TRANSITION
    assert made.completed_by != "reset" or (change is not None and change.has_month_fallen)
    if now >= race.ends_at + TRANSITION and not made.refused:
        assert made.completed_by
