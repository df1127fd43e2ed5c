"""Composition root of the gateway: settings, parts, the table of routes, the application."""

import asyncio
import gc
from collections.abc import Awaitable
from typing import Any, cast

import lua
from contract.auth_keys import public_keys
from contract.settings import Settings, read_settings
from contract.telemetry import configure_logging, get_logger
from contract.transport import Asker, open_redis
from gateway import (
    affiliate,
    amazon,
    auth,
    cache_admin,
    carts,
    commands,
    g2a,
    games,
    goated,
    health,
    order_keys,
    orders,
    race_events,
    races,
    sales,
    store_orders,
    sync_events,
    syncs,
    users,
    verification,
    webhooks,
    wishlists,
)
from gateway.caching import Cache
from gateway.cross_site import preflight, sharing
from gateway.envelope import API
from gateway.events import Events
from gateway.forms import formed
from gateway.gate import Gate, Handler, make_redirect, serve
from gateway.head import request_id, unsound
from gateway.lanes import Lanes
from gateway.meters import publish_forever
from gateway.metrics import Meter
from gateway.patience import Patience
from gateway.progress import Progress
from gateway.race_news import RaceNews
from gateway.replies import Replies
from gateway.replying import Refused
from gateway.routing import Router
from gateway.rsgi import Exchange, Scope
from gateway.stopping import hear_stop
from gateway.tokens import AccessTokens
from gateway.visitors import Visitors
from gateway.watching import refuse_plain, watch_events
from gateway.webhook_signatures import webhook_secrets

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/order", orders.place_order),
    ("GET", "/status/{order_id}", orders.read_status),
    ("POST", "/cancel/{order_id}", orders.cancel_order),
    ("POST", "/init", sales.open_sale),
    ("GET", "/inventory/{product_id:path}", sales.read_inventory),
    ("GET", "/admission", sales.read_admission),
    ("POST", "/api/auth/register", auth.register),
    ("POST", "/api/auth/login", auth.login),
    ("POST", "/api/auth/refresh", auth.refresh),
    ("POST", "/api/auth/logout", auth.logout),
    ("GET", "/api/auth/me", auth.read_me),
    ("GET", "/api/commands/{command_id}", commands.read_command),
    ("GET", "/api/games", games.search_games),
    ("GET", "/api/games/{game_id}", games.read_game),
    ("PUT", "/api/games/{game_id}", games.put_game),
    ("GET", "/api/home/{list}", games.read_home),
    ("GET", "/api/cart", carts.read_cart),
    ("POST", "/api/cart", carts.add_to_cart),
    ("DELETE", "/api/cart", carts.clear_cart),
    ("POST", "/api/cart/migrate", carts.migrate_cart),
    ("PATCH", "/api/cart/{game_id}", carts.set_in_cart),
    ("DELETE", "/api/cart/{game_id}", carts.drop_from_cart),
    ("GET", "/api/wishlist", wishlists.read_wishlist),
    ("POST", "/api/wishlist", wishlists.add_to_wishlist),
    ("POST", "/api/wishlist/migrate", wishlists.migrate_wishlist),
    ("DELETE", "/api/wishlist/{game_id}", wishlists.drop_from_wishlist),
    ("POST", "/api/orders", store_orders.place_order),
    ("GET", "/api/orders", store_orders.read_orders),
    ("GET", "/api/orders/{order_id}", store_orders.read_order),
    ("POST", "/api/orders/{order_id}/cancel", store_orders.cancel_order),
    ("GET", "/api/orders/{order_id}/keys", order_keys.read_keys),
    ("PUT", "/api/promo-codes/{code}", store_orders.put_promo_code),
    ("POST", "/api/admin/g2a/sync", g2a.begin_sync),
    ("GET", "/api/admin/g2a/status", g2a.read_status),
    ("GET", "/api/admin/g2a/stock/{product_id}", g2a.read_stock),
    ("POST", "/api/webhooks/g2a", webhooks.take_g2a_event),
    ("GET", "/api/v1/integrations/amazon/auth/start", amazon.begin_consent),
    ("GET", "/api/v1/integrations/amazon/auth/callback", amazon.finish_consent),
    ("POST", "/api/v1/integrations/amazon/disconnect", amazon.disconnect),
    ("GET", "/api/v1/integrations/amazon/status", amazon.read_status),
    ("GET", "/api/v1/integrations/amazon/claims", amazon.read_claims),
    ("GET", "/api/v1/integrations/amazon/inventory", amazon.read_inventory),
    ("GET", "/api/v1/integrations/amazon/orders", amazon.read_orders),
    ("POST", "/api/v1/integrations/amazon/sync", syncs.start_sync),
    ("GET", "/api/sync/status", syncs.read_newest),
    ("GET", "/api/sync/status/{sync_id}", syncs.read_status),
    ("GET", "/api/sync/history", syncs.read_history),
    ("POST", "/api/sync/cancel/{sync_id}", syncs.cancel_sync),
    ("GET", "/api/sync/events/{sync_id}", sync_events.watch_sync),
    ("GET", "/api/users/search", users.search_users),
    ("GET", "/api/users/batch", users.read_batch),
    ("GET", "/api/users/{user_id}", users.read_user),
    ("PATCH", "/api/users/{user_id}", users.patch_user),
    ("GET", "/api/users/{user_id}/stats", users.read_stats),
    ("POST", "/api/verification/request", verification.request_verification),
    ("GET", "/api/verification/status", verification.read_status),
    ("POST", "/api/verification/confirm", verification.confirm_verification),
    ("GET", "/api/verification/requests", verification.read_requests),
    ("GET", "/api/wager-races/current", races.read_current),
    ("GET", "/api/wager-races/previous", races.read_previous),
    ("GET", "/api/wager-races/schedule", races.read_schedule),
    ("GET", "/api/wager-races/events", race_events.stream_race),
    ("GET", "/api/affiliate/stats", affiliate.read_stats),
    ("GET", "/api/affiliate/leaderboard", affiliate.read_leaderboard),
    ("POST", "/api/admin/goated/sync", goated.begin_sync),
    ("GET", "/api/admin/cache", cache_admin.list_cache),
    ("DELETE", "/api/admin/cache", cache_admin.drop_cache),
    ("GET", "/livez", health.livez),
    ("GET", "/readyz", health.readyz),
    ("GET", "/metrics", health.metrics),
    ("GET", "/openapi.json", health.openapi),
    ("GET", "/events", refuse_plain),
    ("GET", race_events.WEBSOCKET_AT, refuse_plain),
    ("GET", "/", health.signpost),
)
"""Every route: method, path, handler. A WebSocket goes to `watch_race` or to `watch_events`."""

REDIS_CONNECTIONS = 8
BUS_CONNECTIONS = 8
"""Of the commands that are no sale, so that neither waits for the other."""
COLLECT_AFTER = (100_000, 50, 1_000)
"""Allocations before a collection of the young, and young and middle ones before those of their elders."""
LISTENERS = 5
"""Events, syncs, races, answers and replies."""
LISTEN_S = 86_400.0
"""How long a subscription may be silent."""


def create_app() -> "Application":
    """The application of one gateway process, made of the settings in the environment."""
    settings = read_settings()
    configure_logging("gateway", settings.log_level)
    app = Application(settings)
    _spare_collections()
    return app


class Application:
    """What the server calls: `__rsgi__` for every request, the other two at the start and the end of its process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._router = Router(ROUTES)
        self._gate: Gate | None = None
        self._publishing: asyncio.Task[None] | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make the parts; nothing is connected yet, and the loop does not run."""
        self._gate = make_gate(self._settings)
        hear_stop(loop, self._gate.stopping)
        # Alone on its port, a process answers for itself.
        if self._settings.gateway_workers > 1:
            self._publishing = loop.create_task(publish_forever(self._gate))
        get_logger().info("gateway serves", port=self._settings.port)

    def __rsgi__(self, scope: Any, protocol: Any) -> Awaitable[None]:
        """Serve one request. POST /order goes ahead of the router: it is nearly all of the traffic."""
        gate = cast(Gate, self._gate)
        if scope.proto != "http":
            watch = race_events.watch_race if scope.path == race_events.WEBSOCKET_AT else watch_events
            return watch(gate, scope, protocol)
        if scope.path == "/order" and scope.method == "POST":
            return serve(gate, "/order", orders.place_order, scope, protocol)
        return self._route(gate, scope, protocol)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close everything; the loop has stopped."""
        loop.run_until_complete(self._close())

    async def _route(self, gate: Gate, scope: Scope, exchange: Exchange) -> None:
        headers = scope.headers
        in_api = scope.path.startswith(API)
        also = sharing(headers, gate.settings) if in_api else ()
        try:
            found = self._router.find(scope.method, scope.path)
        except Refused as error:
            reply, own_id = unsound(scope, headers) or error.reply, request_id(headers)
            if in_api:
                asked_before = preflight(headers, gate.settings) if scope.method == "OPTIONS" else None
                reply = asked_before or formed(scope.path, own_id, reply)
            exchange.response_bytes(reply.status, [*reply.headers, *also, ("x-request-id", own_id)], reply.body)
        else:
            await serve(gate, found.route, found.handler, scope, exchange, found.params, also)

    async def _close(self) -> None:
        gate = cast(Gate, self._gate)
        if self._publishing is not None:
            self._publishing.cancel()
        await gate.events.close()
        await gate.progress.close()
        await gate.race_news.close()
        await gate.cache.close()
        await gate.replies.close()
        await gate.asker.close()
        await gate.lanes.close()
        await gate.redis.aclose()


def _spare_collections() -> None:
    """Let the garbage collector leave alone what lives as long as the process, and look rarely at the rest.

    Requests make no cycles to speak of; looking for them after every few took a third of the event loop's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def make_gate(settings: Settings) -> Gate:
    """The parts of one gateway process; nothing is connected yet."""
    redis = open_redis(settings, connections=REDIS_CONNECTIONS)
    lanes = Lanes(redis, settings)
    # Listening waits by design, so it has connections and a patience of its own.
    listener = open_redis(settings, connections=LISTENERS, block_s=LISTEN_S)
    bus = open_redis(settings, connections=BUS_CONNECTIONS)
    questions = lua.questions_key(lua.GROUP_OF_ORDERS)
    replies, cache = Replies(bus, listener, settings.backlog_max), Cache(bus)
    ask_race = race_events.asking(replies, cache, settings.ask_timeout_s)
    return Gate(
        settings=settings,
        redis=redis,
        lanes=lanes,
        events=Events(listener, [lane.admission.keys.events for lane in lanes.all]),
        progress=Progress(listener, settings.redis_timeout_s),
        race_news=RaceNews(listener, settings.redis_timeout_s, ask_race),
        meter=Meter(),
        visitors=Visitors(settings.trusted_proxies),
        replies=replies,
        cache=cache,
        asker=Asker(redis, listener, questions, lua.ANSWERS_PREFIX, settings.ask_timeout_s),
        patience=Patience(settings.body_timeout_s),
        tokens=AccessTokens(public_keys(settings)),
        webhook_secrets=webhook_secrets(settings),
        redirect=make_redirect(settings),
        stopping=asyncio.Event(),
    )
