"""Goated's leaderboard out of any bytes: every form is told apart, and whatever comes is read or refused."""

import hashlib
import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.clients.goated import GoatedFault, Leaderboard, Member
from workers.clients.goated_entries import AMOUNT_MAX, NAME_MAX, PERIODS, PLACES_MAX, UID_MAX, read_entry
from workers.clients.goated_forms import REASONS_MAX, read_leaderboard, require_json

ENTRY: dict[str, Any] = {"uid": "u1", "name": "one", "wagered": dict(zip(PERIODS, (1, 2.5, 3.25, 4), strict=True))}
ONE = Member("u1", "one", Decimal(1), Decimal("2.5"), Decimal("3.25"), Decimal(4))

NAMES = ("uid", "name", "wagered", "data", "results", "success", "status", "monthly", "all_time", *PERIODS)


def _uid(entry: dict[str, Any]) -> str:
    return entry["uid"]


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
amounts = st.floats(min_value=-1e14, max_value=1e14) | st.integers(-(10**14), 10**14) | st.just(0)
uids = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
members = st.fixed_dictionaries(
    {
        "uid": uids,
        "name": st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30),
        "wagered": st.fixed_dictionaries(dict.fromkeys(PERIODS, amounts)),
    }
)
boards = st.lists(members, max_size=12, unique_by=_uid)


def envelopes(entries: list[Any]) -> dict[str, Any]:
    """A list in every form."""
    later = [entry for entry in entries if entry["wagered"]["this_month"]]
    return {
        "success": {"success": True, "data": entries},
        "list": entries,
        "data": {"data": entries},
        "results": {"results": entries},
        "nested": {"data": {"data": entries}},
        "periods": {
            "status": "success",
            "metadata": {"totalUsers": len(entries)},
            "data": {"today": {"data": []}, "monthly": {"data": later}, "all_time": {"data": entries}},
        },
    }


def read(document: Any) -> Leaderboard:
    return read_leaderboard(json.dumps(document).encode())


def refused(body: bytes) -> GoatedFault:
    with pytest.raises(GoatedFault) as fault:
        read_leaderboard(body)
    return fault.value


@given(boards)
def test_every_form_is_told_by_its_name_and_has_the_same_people_and_sums(entries: list[dict[str, Any]]) -> None:
    for shape, document in envelopes(entries).items():
        body = json.dumps(document).encode()
        board = read_leaderboard(body, 'W/"etag"')
        assert (board.shape, board.etag, board.size) == (shape, 'W/"etag"', len(body))
        assert board.digest == hashlib.sha256(body).digest()
        assert [(one.uid, one.name) for one in board.members] == [(one["uid"], one["name"]) for one in entries]
        assert board.bad_count == 0
        for number, period in enumerate(PERIODS):
            told = sum(Fraction(repr(one["wagered"][period])) for one in entries)
            kept = sum(Fraction(member[2 + number]) for member in board.members)
            # What is smaller than the places that are kept is lost, as it may be.
            assert abs(kept - told) <= len(entries) * Fraction(1, 10**PLACES_MAX)


def read_or_refused(body: bytes) -> Leaderboard | None:
    """The leaderboard of a body, which is sound; None where there is none, for a reason that is the only one."""
    told, board = None, None
    try:
        board = read_leaderboard(body)
    except GoatedFault as fault:
        told = (fault.kind, fault.code)
    assert told in (None, ("temporary", "API_BAD_ANSWER"))
    if board is not None:
        require_sound(board)
    return board


@given(anything)
def test_any_json_is_read_or_refused_and_nothing_else(document: Any) -> None:
    read_or_refused(json.dumps(document).encode())


@given(st.lists(anything, max_size=8))
def test_any_entries_are_read_as_far_as_they_go(entries: list[Any]) -> None:
    # Python writes what is no JSON, such as NaN, where others write null.
    body = re.sub(rb"-?Infinity|NaN", b"null", json.dumps(entries).encode())
    board = read_leaderboard(body)
    require_sound(board)
    assert len(board.members) + board.bad_count >= len(entries)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(body: bytes) -> None:
    if read_or_refused(body) is not None:
        assert require_json(body) == body
    # Within a list, too, where each entry stands for itself.
    read_or_refused(b'[{"uid":"a","name":"' + body + b'"}, {"uid":"b"}]')


def require_sound(board: Leaderboard) -> None:
    """What every leaderboard that was read is, whatever it was read from."""
    assert len({member.uid for member in board.members}) == len(board.members)
    assert len(board.bad) == min(board.bad_count, REASONS_MAX)
    for member in board.members:
        assert 0 < len(member.uid) <= UID_MAX
        assert len(member.name) <= NAME_MAX
        for text in (member.uid, member.name):
            text.encode()
            assert not re.search(r"[\x00-\x1f\x7f]", text)
        for amount in member[2:]:
            assert isinstance(amount, Decimal)
            assert abs(amount) < AMOUNT_MAX
            assert int(amount.as_tuple().exponent) >= -PLACES_MAX


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"success": False, "data": [ENTRY]}, "no success"),
        ({"success": None, "data": [ENTRY]}, "no success"),
        ({"success": "true", "data": [ENTRY]}, "no success"),
        ({"status": "error", "data": [ENTRY]}, "no success"),
        ({"success": True}, "no known form"),
        ({"success": True, "data": None}, "no known form"),
        ({"data": {"yearly": {"data": [ENTRY]}}}, "no known form"),
        ({"data": {"monthly": 5}}, "no known form"),
        ({"hello": ["world"]}, "no known form"),
        ({}, "no known form"),
        ("text", "neither a list nor an object"),
        (5, "neither a list nor an object"),
        (None, "neither a list nor an object"),
    ],
)
def test_a_document_of_no_known_form_is_refused(document: Any, says: str) -> None:
    fault = refused(json.dumps(document).encode())
    assert (fault.kind, fault.code) == ("temporary", "API_BAD_ANSWER")
    assert says in fault.message


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"<html>", b"[1", b"[] []", b'{"data":[{"uid":"a","x":NaN}]}', b"[" * 200_000, b"\xff\xfe[]"]
)
def test_what_is_no_json_is_refused_also_before_it_is_read(body: bytes) -> None:
    assert refused(body).code == "API_BAD_ANSWER"
    with pytest.raises(ValueError, match=r"no JSON|nothing"):
        require_json(bytearray(body))


def test_people_who_are_missing_in_the_list_of_all_time_are_found_in_another() -> None:
    other = ENTRY | {"uid": "u2"}
    less = ENTRY | {"wagered": dict.fromkeys(PERIODS, 0)}
    board = read({"data": {"today": {"data": [less, other]}, "all_time": {"data": [ENTRY]}}})
    assert board.members == (ONE, ONE._replace(uid="u2"))
    assert board.bad_count == 0


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_entries_of_one_person_the_one_with_more_of_all_time_counts(order: int) -> None:
    less = {"uid": "u1", "name": "other", "wagered": {"today": 9, "this_week": 9, "this_month": 9, "all_time": 3.999}}
    board = read([ENTRY, less][::order])
    assert (board.members, board.bad_count) == ((ONE,), 1)
    assert board.bad == ("Entry 2: its uid stands in another entry, too.",)


AMOUNTS: list[tuple[str, str, int]] = [
    ("0", "0", 0),
    ("-0.0", "0", 0),
    ("454930.80190704373", "454930.80190704373", 0),
    ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827", 0),
    ("1e3", "1E+3", 0),
    ("-12.5", "-12.5", 0),
    ("-999999999999999.99", "-999999999999999.99", 0),
    ('"12.5"', "12.5", 0),
    ('"-0.5e-3"', "-0.0005", 0),
    ("1e-400", "0", 0),
    ("1.5e-40", "2E-40", 0),
    ("1e15", "0", 1),
    ("-1e15", "0", 1),
    ("1e400", "0", 1),
    ("1e999999999", "0", 1),
    ("1e99999999999999999999", "0", 1),
    ("12345678901234567890", "0", 1),
    ("null", "0", 1),
    ("true", "0", 1),
    ("[1]", "0", 1),
    ("{}", "0", 1),
    ('"invalid"', "0", 1),
    ('""', "0", 1),
    ('"NaN"', "0", 1),
    ('"sNaN"', "0", 1),
    ('"Infinity"', "0", 1),
    ('"-inf"', "0", 1),
    ('"1e99999999999999999999"', "0", 1),
]


@pytest.mark.parametrize(("told", "kept", "bad"), AMOUNTS)
def test_an_amount_is_kept_to_its_last_digit_or_is_nothing_and_counted(told: str, kept: str, bad: int) -> None:
    entry = f'{{"uid":"u1","name":"one","wagered":{{"today":1,"this_week":2.5,"this_month":{told},"all_time":4}}}}'
    board = read_leaderboard(f"[{entry}]".encode())
    (member,) = board.members
    assert str(member.this_month) == kept
    assert member == ONE._replace(this_month=Decimal(kept))
    assert board.bad_count == bad


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ('"a\\u0000b\\u0007c\\u0085d"', "abcd"),
        ('"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        ('"half \\ud83d end"', "half \ufffd end"),
        ('"\\ude00\\ud83d"', "\ufffd\ufffd"),
        ('"a \\\\ud800 in letters"', "a \\ud800 in letters"),
        ('"both \\\\\\ud800"', "both \\\ufffd"),
        ('"letters \\\\ud800, half \\ud800"', "letters \\ud800, half \ufffd"),
        ('"<b>bold</b> \u05e9\u05dc\u05d5\u05dd"', "<b>bold</b> \u05e9\u05dc\u05d5\u05dd"),
        (f'"{"x" * 300}"', "x" * 200),
        ('""', ""),
    ],
)
def test_a_name_is_kept_as_it_is_but_for_what_no_text_can_hold(name: str, kept: str) -> None:
    body = f'{{"success":true,"data":[{{"uid":"u1","name":{name},"wagered":{{}}}}]}}'.encode()
    (member,) = read_leaderboard(body).members
    assert member.name == kept


def test_bytes_that_are_no_letters_are_replaced_and_a_mark_at_the_beginning_is_left_out() -> None:
    (member,) = read_leaderboard(b'\xef\xbb\xbf[{"uid":"u1","name":"caf\xe9","wagered":{}}]').members
    assert member.name == "caf\ufffd"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({}, "it has no uid"),
        ({"uid": None}, "it has no uid"),
        ({"uid": ""}, "it has no uid"),
        ({"uid": 5}, "it has no uid"),
        ({"uid": "  "}, "its uid is none"),
        ({"uid": "a\0"}, "its uid is none"),
        ({"uid": "a\ud800"}, "its uid is none"),
        ({"uid": "x" * 65}, "its uid is none: it has 65 characters"),
        ([], "it is no object"),
        ("u1", "it is no object"),
    ],
)
def test_an_entry_of_nobody_is_left_out(entry: Any, why: str) -> None:
    without = {name: value for name, value in ENTRY.items() if name != "uid"}
    board = read([without | entry if isinstance(entry, dict) else entry, ENTRY])
    assert board.members == (ONE,)
    assert board.bad == (f"Entry 1: {why}.",)


def test_a_person_without_name_or_wagers_is_a_person() -> None:
    assert read_entry(b'{"uid":"u1"}').member == Member("u1", "", *[Decimal(0)] * 4)
    assert read_entry(b'{"uid":"u1"}').why == "it has no name, it has no wagers"
    assert read_entry(b'{"uid":"u1","name":"n","wagered":{"today":1}}').why == (
        "this_week is no amount, this_month is no amount, all_time is no amount"
    )


def test_the_first_reasons_are_told_and_all_are_counted() -> None:
    board = read([*([None] * (REASONS_MAX + 5)), ENTRY])
    assert (len(board.bad), board.bad_count) == (REASONS_MAX, REASONS_MAX + 5)
    assert board.members == (ONE,)
