"""Visitors: who a request comes from, where proxies may be trusted and where they may lie."""

import pytest

from gateway.visitors import ADDRESS_LENGTH_MAX, Visitors
from tests.support.scopes import scope_of

PROXY, INNER, CLIENT, LIE = "10.0.0.1", "10.0.0.2", "203.0.113.7", "198.51.100.9"


def address(peer: str, forwarded: str | None = None, trusted: str = f"{PROXY} {INNER}") -> str:
    """The address that a request counts for."""
    scope = scope_of(*([("x-forwarded-for", forwarded)] if forwarded is not None else []), client=peer)
    return Visitors(trusted).address(scope)


def test_without_proxies_the_peer_is_the_client_whatever_it_says() -> None:
    assert address(f"{CLIENT}:1", LIE, trusted="") == CLIENT


def test_a_peer_that_is_no_proxy_of_ours_is_not_believed() -> None:
    assert address(f"{CLIENT}:1", LIE) == CLIENT


def test_a_trusted_proxy_names_the_client() -> None:
    assert address(f"{PROXY}:1", CLIENT) == CLIENT


def test_of_a_chain_the_nearest_that_we_do_not_trust_is_the_client() -> None:
    assert address(f"{PROXY}:1", f"{LIE}, {CLIENT} , {INNER}") == CLIENT


@pytest.mark.parametrize("forwarded", [None, "", " , ,", INNER, f"{PROXY},{INNER}"])
def test_a_proxy_that_names_nobody_is_the_client_itself(forwarded: str | None) -> None:
    assert address(f"{PROXY}:1", forwarded) == PROXY


def test_an_endless_address_is_cut() -> None:
    assert address(f"{PROXY}:1", "x" * 10_000) == "x" * ADDRESS_LENGTH_MAX


def test_an_address_of_version_6_is_one_without_its_brackets() -> None:
    assert address("[2001:db8::1]:443", CLIENT) == "2001:db8::1"
