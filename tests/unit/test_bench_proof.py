"""The proof of the bench: what clients were told against what came out."""

import msgspec

from bench.jobs import UNKNOWN
from bench.proof import Proof, judge

A, B = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"


def said(status: str, order_id: str = A) -> bytes:
    return msgspec.json.encode({"status": status, "msg": "", "orderId": order_id})


def proved(answers: list[tuple[str, int, bytes]], stored: dict[str, str] | None, stock: int = 2) -> Proof:
    return judge("phone", stock, answers, stored)


def test_the_proof_holds_when_every_accepted_order_is_stored_once():
    proof = proved(
        [("a", 200, said("success")), ("a", 200, said("ignored")), ("b", 409, b"{}"), ("c", 302, b"")],
        {A: "persisted"},
    )
    assert (proof.faults, proof.accepted, proof.stored, proof.requests) == ((), 1, 1, 4)


def test_an_accepted_order_that_is_not_stored_is_lost():
    proof = proved([("a", 200, said("success"))], {})
    assert proof.lost == 1
    assert "not in Postgres" in proof.faults[0]


def test_an_accepted_order_that_failed_in_the_database_is_lost():
    assert proved([("a", 200, said("success"))], {A: "failed"}).lost == 1


def test_a_replayed_order_must_be_stored_too():
    assert proved([("a", 200, said("ignored"))], {}).lost == 1


def test_more_orders_than_stock_are_oversold():
    answers = [("a", 200, said("success", A)), ("b", 200, said("success", B))]
    assert proved(answers, {A: "persisted", B: "persisted"}, stock=1).oversold == 1
    assert proved(answers, None, stock=1).oversold == 1


def test_one_key_that_was_accepted_twice_is_duplicated():
    proof = proved([("a", 200, said("success")), ("a", 200, said("success"))], {A: "persisted"})
    assert proof.duplicated == 1
    assert "accepted twice" in proof.faults[0]


def test_one_key_with_two_orders_is_duplicated():
    proof = proved([("a", 200, said("success", A)), ("a", 200, said("ignored", B))], {A: "persisted", B: "persisted"})
    assert proof.duplicated == 1


def test_one_order_that_two_keys_were_given_is_duplicated():
    proof = proved([("a", 200, said("success")), ("b", 200, said("success"))], {A: "persisted"})
    assert proof.duplicated == 1
    assert "more than one key" in proof.faults[0]


def test_a_stored_order_may_be_unseen_only_where_an_outcome_is_unknown():
    assert not proved([("a", UNKNOWN, b"")], {A: "persisted"}).faults
    assert "no client was told" in proved([("a", 409, b"{}")], {A: "persisted"}).faults[0]


def test_an_outcome_that_a_retry_has_cleared_up_is_not_unknown():
    proof = proved([("a", UNKNOWN, b""), ("a", 200, said("ignored"))], {A: "persisted", B: "persisted"})
    assert proof.unknown == 0
    assert "no client was told" in proof.faults[0]


def test_an_answer_200_that_names_no_order_is_a_fault():
    for body in (b"", b"{}", b"[1]", b"\xff", b'{"status":"success"}'):
        assert "without an order" in proved([("a", 200, body)], {}).faults[0]


def test_a_sale_that_more_buyers_than_units_came_to_must_sell_out():
    proof = judge("phone", 2, [("a", 200, said("success"))], {A: "persisted"}, sells_out=True)
    assert "1 of 2 units were not sold" in proof.faults[0]
