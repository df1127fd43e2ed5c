"""The table of routes: what is found, and how what is not found is told."""

import pytest

from gateway.replying import Refused
from gateway.routing import Router

ROUTER = Router(
    [
        ("GET", "/", "root"),
        ("GET", "/item/{item_id}", "read"),
        ("POST", "/item/{item_id}", "write"),
        ("POST", "/only", "post"),
        ("GET", "/rest/{rest:path}", "rest"),
        ("GET", "/a.b", "dot"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "handler", "params"),
    [
        ("GET", "/", "root", {}),
        ("GET", "/item/7", "read", {"item_id": "7"}),
        ("HEAD", "/item/7", "read", {"item_id": "7"}),
        ("POST", "/item/seven of nine", "write", {"item_id": "seven of nine"}),
        ("GET", "/rest/a/b//c", "rest", {"rest": "a/b//c"}),
        ("GET", "/rest/", "rest", {"rest": ""}),
        ("GET", "/a.b", "dot", {}),
    ],
)
def test_a_route_is_found_with_what_its_path_names(
    method: str, path: str, handler: str, params: dict[str, str]
) -> None:
    found = ROUTER.find(method, path)
    assert (found.handler, found.params) == (handler, params)


def test_a_found_route_is_counted_under_its_own_path_and_not_the_clients() -> None:
    assert ROUTER.find("GET", "/item/7").route == "/item/{item_id}"


@pytest.mark.parametrize("path", ["", "/item", "/item/", "/item/7/", "/item/7/8", "/axb", "//", "/only/", "/OnLy"])
def test_another_path_is_no_route(path: str) -> None:
    with pytest.raises(Refused) as refused:
        ROUTER.find("GET", path)
    assert refused.value.reply.status == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/only", "POST"),
        ("PUT", "/item/7", "GET, HEAD, POST"),
        ("OPTIONS", "/", "GET, HEAD"),
        ("post", "/only", "POST"),
    ],
)
def test_another_method_is_told_which_ones_there_are(method: str, path: str, allow: str) -> None:
    with pytest.raises(Refused) as refused:
        ROUTER.find(method, path)
    assert refused.value.reply.status == 405
    assert ("allow", allow) in refused.value.reply.headers


@pytest.mark.parametrize("path", ["/\n", "/item/7\n", "/item/\x00", "/rest/\x85"])
def test_a_control_character_is_refused_before_any_route(path: str) -> None:
    with pytest.raises(Refused) as refused:
        ROUTER.find("GET", path)
    assert refused.value.reply.status == 400
