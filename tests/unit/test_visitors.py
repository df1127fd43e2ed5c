"""Visitors: who a request comes from, where proxies may be trusted and where they may lie."""

from typing import Any

import pytest

from gateway.head import read_head
from gateway.visitors import ADDRESS_LENGTH_MAX, Visitors

PROXY, INNER, CLIENT, LIE = "10.0.0.1", "10.0.0.2", "203.0.113.7", "198.51.100.9"


def address(peer: Any, forwarded: str | None = None, trusted: str = f"{PROXY} {INNER}") -> str:
    """The address that a request counts for."""
    headers = [(b"host", b"h")] + ([(b"x-forwarded-for", forwarded.encode())] if forwarded is not None else [])
    scope = {"client": peer, "headers": headers, "http_version": "1.1"}
    return Visitors(trusted).address(scope, read_head(scope))


def test_without_proxies_the_peer_is_the_client_whatever_it_says() -> None:
    assert address((CLIENT, 1), LIE, trusted="") == CLIENT


def test_a_peer_that_is_no_proxy_of_ours_is_not_believed() -> None:
    assert address((CLIENT, 1), LIE) == CLIENT


def test_a_trusted_proxy_names_the_client() -> None:
    assert address((PROXY, 1), CLIENT) == CLIENT


def test_of_a_chain_the_nearest_that_we_do_not_trust_is_the_client() -> None:
    assert address((PROXY, 1), f"{LIE}, {CLIENT} , {INNER}") == CLIENT


@pytest.mark.parametrize("forwarded", [None, "", " , ,", INNER, f"{PROXY},{INNER}"])
def test_a_proxy_that_names_nobody_is_the_client_itself(forwarded: str | None) -> None:
    assert address((PROXY, 1), forwarded) == PROXY


def test_an_endless_address_is_cut() -> None:
    assert address((PROXY, 1), "x" * 10_000) == "x" * ADDRESS_LENGTH_MAX


def test_a_peer_without_an_address_is_a_client_too() -> None:
    assert address(None, CLIENT) == ""
