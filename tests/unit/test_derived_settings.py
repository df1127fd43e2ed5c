"""What follows from settings: addresses, shares of lanes, and where other parties are."""

import pytest

from contract.settings import Settings

KEY = "0123456789abcdef"


def test_the_addresses_of_a_child_that_was_told_nothing_are_loopback() -> None:
    settings = Settings()
    assert settings.waiting_room_at == "http://localhost:4000"
    assert settings.gateway_at == "http://localhost:3000"
    assert settings.redis_at == "redis://127.0.0.1:6390/0"
    assert settings.postgres_at == "postgresql://fluxgate@127.0.0.1:5490/fluxgate"
    assert Settings(gateway_url="https://shop.example.com/").gateway_at == "https://shop.example.com"


@pytest.mark.parametrize(("rate", "burst", "tokens"), [(50, 0, 50), (0.5, 0, 1), (2.9, 0, 2), (50, 7, 7)])
def test_the_bucket_holds_a_second_of_its_rate_unless_told_otherwise(rate: float, burst: int, tokens: int) -> None:
    assert Settings(rate_per_s=rate, burst=burst).burst_tokens == tokens


def test_each_lane_has_its_share_of_rate_burst_and_backlog() -> None:
    settings = Settings(lanes=4, rate_per_s=50, burst=42, backlog_max=1001)
    assert (settings.lane_rate_per_s, settings.lane_burst, settings.lane_backlog_max) == (12.5, 10, 250)


def test_one_lane_has_all_of_rate_burst_and_backlog() -> None:
    settings = Settings(rate_per_s=0.5, backlog_max=7)
    assert (settings.lane_rate_per_s, settings.lane_burst, settings.lane_backlog_max) == (0.5, 1, 7)


def test_a_share_too_small_for_anything_is_one() -> None:
    settings = Settings(lanes=64, rate_per_s=3, backlog_max=10)
    assert (settings.lane_burst, settings.lane_backlog_max) == (1, 1)


def test_clients_are_limited_in_production_and_not_in_development_unless_the_setting_says_otherwise() -> None:
    production = {"env": "production", "admin_key": KEY}
    assert Settings().client_rate == 0
    assert Settings(**production).client_rate > 0
    assert Settings(**production, client_rate_per_s=0.0).client_rate == 0
    assert Settings(client_rate_per_s=3.0).client_rate == 3


def test_in_development_sandboxes_play_whoever_is_not_named() -> None:
    settings = Settings()
    assert settings.amazon_at == "http://127.0.0.1:4011"
    assert settings.amazon_lwa_at == "http://127.0.0.1:4011/auth/o2/token"
    assert settings.amazon_consent_at == "http://127.0.0.1:4011/apps/authorize/consent"
    assert settings.goated_at == "http://127.0.0.1:4012/user/affiliate/referral-leaderboard"
    assert settings.goated_token_at == "http://127.0.0.1:4012/auth/refresh"
    assert all((*settings.amazon_client, *settings.goated_credentials))


def test_in_production_nobody_plays_anybody() -> None:
    settings = Settings(env="production", admin_key=KEY)
    assert (settings.amazon_at, settings.amazon_lwa_at, settings.amazon_consent_at) == ("", "", "")
    assert (settings.goated_at, settings.goated_token_at) == ("", "")
    assert not any((*settings.amazon_client, *settings.goated_credentials))


def test_a_party_that_is_named_is_the_one_that_is_asked() -> None:
    amazon = Settings(amazon_url="https://amazon.example.com/", amazon_client_id="own")
    assert (amazon.amazon_at, amazon.amazon_lwa_at) == ("https://amazon.example.com", "")
    assert amazon.amazon_client[1] == "own"
    goated = Settings(goated_url="https://goated.example.com/board/", goated_code="OWN")
    assert (goated.goated_at, goated.goated_token_at) == ("https://goated.example.com/board", "")
    assert goated.goated_credentials == ("OWN", "", "")
