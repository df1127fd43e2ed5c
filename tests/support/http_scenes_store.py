"""Scenes of the store: games, carts, wishlists and orders, but for what all their routes have in common."""

from decimal import Decimal

from sql import load_queries
from tests.support.http_scenes_people import AS_ADMIN, AS_ANN, JSON, LOGIN, handed_over, person
from tests.support.http_stage import SESSION, Prepare, Scene, Stage

INSERT_GAME = "INSERT INTO games (id, title, price, stock, active) VALUES ($1, $1, 9.99, $2, $3)"
GUEST, FULL, HOPELESS, WITH_CART = (f"{SESSION[:-1]}{digit}" for digit in "1234")
AS_GUEST = "X-Session-Id: " + GUEST
KEY = "Idempotency-Key: b7e23ec2-8a5b-4a3e-9f2e-0c6d7a1e4f10"


async def stock_shelves(stage: Stage) -> None:
    """Games beside the one that the scenes are about, too many of them for a cart or a wishlist."""
    games = [("portal", 3, True), ("braid", 0, True), ("gone", 0, False), *((f"game-{n}", 1, True) for n in range(500))]
    await stage.database.executemany(INSERT_GAME, games)


def has(table: str, session: str, *games: str) -> Prepare:
    """A guest has these games in the cart or the wishlist."""

    async def prepare(stage: Stage) -> None:
        insertion = f"INSERT INTO {table} (owner_kind, owner_id, game_id) VALUES ('session', $1, $2)"
        if table == "carts":
            insertion = insertion.replace("game_id)", "game_id, quantity)").replace("$2)", "$2, 1)")
        await stage.database.executemany(insertion, [(session, game) for game in games])

    return prepare


async def has_money(stage: Stage) -> None:
    """Ann has paid 100 in."""
    queries = load_queries("auth")
    user = await stage.database.fetchrow(queries["add_to_balance"], "ann@shop.example", Decimal(100))
    await stage.database.execute(queries["note_deposit"], user["id"], Decimal(100))


async def codes_that_are_over(stage: Stage) -> None:
    """One promo code that was valid, and one that is used up."""
    await stage.database.execute(
        "INSERT INTO promo_codes (code, percent, valid_from, valid_until, uses_max) VALUES "
        "('WINTER', 10, now() - interval '2 days', now() - interval '1 day', NULL), ('FIRST', 10, now(), NULL, 0)"
    )


async def is_completed(stage: Stage) -> None:
    """The keys of the order are there."""
    await stage.database.execute("UPDATE store_orders SET status = 'COMPLETED' WHERE idempotency_key = 'another'")


def put_game(body: str, game: str = "half-life") -> tuple[str, str, tuple[str, ...], str]:
    """What an administrator sends."""
    return f"PUT /api/games/{game}", body, (AS_ADMIN, JSON), "store"


def added(session: str = "", game: str = "half-life", quantity: int = 2) -> tuple[str, str, tuple[str, ...], str]:
    """What a guest sends who wants a game."""
    own = (f"X-Session-Id: {session}",) if session else ()
    return "POST /api/cart", f'{{"gameId":"{game}","quantity":{quantity}}}', (JSON, *own), "store"


def wished(session: str = "", game: str = "half-life") -> tuple[str, str, tuple[str, ...], str]:
    """What a guest sends who wishes for a game."""
    own = (f"X-Session-Id: {session}",) if session else ()
    return "POST /api/wishlist", f'{{"gameId":"{game}"}}', (JSON, *own), "store"


def moved(family: str, session: str) -> tuple[str, str, tuple[str, ...], str]:
    """What somebody sends who has logged in and was that guest."""
    return f"POST /api/{family}/migrate", "", (AS_ANN, f"X-Session-Id: {session}"), "store"


HALF_LIFE = (
    '{"title":"Half-Life","price":19.99,"oldPrice":24.99,"genre":"shooter","platform":"PC","stock":100,'
    '"releasedOn":"1998-11-19"}'
)
_GAMES = [
    Scene("putGame", 200, "written", *put_game(HALF_LIFE)),
    Scene("putGame", 400, "bad-game-id", *put_game(HALF_LIFE, "half%20life")),
    Scene("putGame", 400, "bad-request", *put_game('{"title":"Half-Life"}')),
    Scene("searchGames", 200, "games", "GET /api/games?q=half&platform=pc&sort=price", on="store"),
    Scene("searchGames", 400, "bad-request", "GET /api/games?sort=cheap", on="store", prepare=stock_shelves),
    Scene("readGame", 200, "game", "GET /api/games/half-life", on="store"),
    Scene("readGame", 404, "game-not-found", "GET /api/games/half-life-3", on="store"),
    Scene("readHomeList", 200, "deals", "GET /api/home/deals", on="store"),
    Scene("readHomeList", 404, "list-not-found", "GET /api/home/gifts", on="store"),
]
_CARTS = [
    Scene("addToCart", 200, "cart", *added()),
    Scene("addToCart", 200, "cart", *added(GUEST)),
    Scene("addToCart", 400, "bad-request", "POST /api/cart", "{}", (JSON, AS_GUEST), "store"),
    Scene("addToCart", 404, "game-not-found", *added(GUEST, "half-life-3")),
    Scene("addToCart", 409, "out-of-stock", *added(GUEST, quantity=99)),
    Scene("addToCart", 409, "quantity-too-large", *added(GUEST, quantity=98)),
    Scene("addToCart", 409, "cart-full", *added(FULL), prepare=has("carts", FULL, *(f"game-{n}" for n in range(100)))),
    Scene("readCart", 200, "cart", "GET /api/cart", headers=(AS_GUEST,), on="store"),
    Scene("setInCart", 200, "cart", "PATCH /api/cart/half-life", '{"quantity":2}', (JSON, AS_GUEST), "store"),
    Scene("setInCart", 400, "bad-request", "PATCH /api/cart/half-life", '{"quantity":0}', (JSON, AS_GUEST), "store"),
    Scene("setInCart", 404, "not-in-cart", "PATCH /api/cart/portal", '{"quantity":2}', (JSON, AS_GUEST), "store"),
    Scene(
        "setInCart",
        409,
        "out-of-stock",
        "PATCH /api/cart/game-0",
        '{"quantity":2}',
        (JSON, f"X-Session-Id: {FULL}"),
        "store",
    ),
    Scene("migrateCart", 404, "session-empty", *moved("cart", WITH_CART)),
    Scene("migrateCart", 400, "game-unavailable", *moved("cart", HOPELESS), prepare=has("carts", HOPELESS, "braid")),
    Scene("migrateCart", 200, "moved", *moved("cart", GUEST)),
    Scene("dropFromCart", 200, "empty", "DELETE /api/cart/half-life", headers=(AS_ANN,), on="store"),
    Scene("dropFromCart", 400, "bad-request", "DELETE /api/cart/half%20life", headers=(AS_ANN,), on="store"),
    Scene("clearCart", 200, "empty", "DELETE /api/cart", headers=(AS_ANN,), on="store"),
    Scene(
        "login",
        200,
        "with-cart",
        LOGIN,
        person("ann"),
        (JSON, f"X-Session-Id: {WITH_CART}"),
        "store",
        prepare=has("carts", WITH_CART, "half-life", "braid"),
    ),
]
_WISHLISTS = [
    Scene("addToWishlist", 200, "wishlist", *wished()),
    Scene("addToWishlist", 200, "wishlist", *wished(GUEST)),
    Scene("addToWishlist", 400, "bad-request", "POST /api/wishlist", "{}", (JSON, AS_GUEST), "store"),
    Scene("addToWishlist", 404, "game-not-found", *wished(GUEST, "half-life-3")),
    Scene(
        "addToWishlist",
        409,
        "wishlist-full",
        *wished(FULL),
        prepare=has("wishlists", FULL, *(f"game-{n}" for n in range(500))),
    ),
    Scene("readWishlist", 200, "wishlist", "GET /api/wishlist", headers=(AS_GUEST,), on="store"),
    Scene("migrateWishlist", 404, "session-empty", *moved("wishlist", WITH_CART)),
    Scene(
        "migrateWishlist",
        400,
        "game-unavailable",
        *moved("wishlist", HOPELESS),
        prepare=has("wishlists", HOPELESS, "gone"),
    ),
    Scene("migrateWishlist", 200, "moved", *moved("wishlist", GUEST)),
    Scene("dropFromWishlist", 200, "empty", "DELETE /api/wishlist/half-life", headers=(AS_ANN,), on="store"),
    Scene("dropFromWishlist", 400, "bad-request", "DELETE /api/wishlist/half%20life", headers=(AS_ANN,), on="store"),
]


def ordered(items: str, promo: str = "", key: str = KEY) -> tuple[str, str, tuple[str, ...], str]:
    """What a buyer sends."""
    code = f',"promoCode":"{promo}"' if promo else ""
    return "POST /api/orders", f'{{"items":[{items}]{code}}}', (AS_ANN, JSON, *((key,) if key else ())), "store"


def item(game: str, quantity: int = 1) -> str:
    """A line of an order."""
    return f'{{"gameId":"{game}","quantity":{quantity}}}'


_PLACE, _PROMO = "placeStoreOrder", "PUT /api/promo-codes/SPRING"
_TWO, _OTHER = item("half-life", 2), "Idempotency-Key: another"
_HANDED_OVER = handed_over(
    "/api/orders",
    {"items": [{"gameId": "half-life", "quantity": 1}]},
    Authorization="{bearer}",
    Idempotency_Key=KEY.partition(": ")[2],
)


async def _reused(stage: Stage) -> None:
    stage.known["{bearer}"] = f"Bearer {stage.known['{ann}']}"
    await _HANDED_OVER(stage)


_ORDERS = [
    Scene("putPromoCode", 200, "written", _PROMO, '{"percent":10,"usesMax":100}', (AS_ADMIN, JSON), "store"),
    Scene("putPromoCode", 400, "bad-request", _PROMO, '{"percent":10,"amount":5}', (AS_ADMIN, JSON), "store"),
    Scene(_PLACE, 400, "insufficient-balance", *ordered(item("half-life"))),
    Scene(_PLACE, 201, "placed", *ordered(_TWO, "SPRING"), prepare=has_money, keep=(("{bought}", "data.id"),)),
    Scene(_PLACE, 200, "repeated", *ordered(_TWO, "SPRING")),
    Scene(_PLACE, 422, "idempotency-key-reused", *ordered(item("half-life"))),
    Scene("readCommand", 422, "", "GET {command}", on="store", prepare=_reused),
    Scene(_PLACE, 400, "bad-request", *ordered("")),
    Scene(_PLACE, 400, "missing-idempotency-key", *ordered(_TWO, key="")),
    Scene(_PLACE, 400, "promo-code-unknown", *ordered(_TWO, "AUTUMN", _OTHER), prepare=codes_that_are_over),
    Scene(_PLACE, 400, "promo-code-expired", *ordered(_TWO, "WINTER", _OTHER)),
    Scene(_PLACE, 400, "promo-code-exhausted", *ordered(_TWO, "FIRST", _OTHER)),
    Scene(_PLACE, 404, "game-not-found", *ordered(item("half-life-3"), key=_OTHER)),
    Scene(_PLACE, 404, "out-of-stock", *ordered(item("portal", 4), key=_OTHER)),
    Scene("putPromoCode", 409, "promo-code-used", _PROMO, '{"percent":10,"usesMax":0}', (AS_ADMIN, JSON), "store"),
    Scene("readStoreOrders", 200, "orders", "GET /api/orders", headers=(AS_ANN,), on="store"),
    Scene("readStoreOrders", 400, "bad-request", "GET /api/orders?page=0", headers=(AS_ANN,), on="store"),
    Scene("readStoreOrder", 200, "order", "GET /api/orders/{bought}", headers=(AS_ANN,), on="store"),
    Scene("readStoreOrders", 202, "pending", "GET /api/orders?page=2", headers=(AS_ANN,), on="idle"),
    Scene("readStoreOrder", 202, "pending", "GET /api/orders/42", headers=(AS_ANN,), on="idle"),
    Scene("readStoreOrder", 404, "order-not-found", "GET /api/orders/42", headers=(AS_ANN,), on="store"),
    Scene("cancelStoreOrder", 200, "cancelled", "POST /api/orders/{bought}/cancel", headers=(AS_ANN,), on="store"),
    Scene("cancelStoreOrder", 404, "order-not-found", "POST /api/orders/42/cancel", headers=(AS_ANN,), on="store"),
    Scene(_PLACE, 201, "placed", *ordered(_TWO, "SPRING", _OTHER), keep=(("{bought}", "data.id"),)),
    Scene(
        "cancelStoreOrder",
        409,
        "order-not-cancellable",
        "POST /api/orders/{bought}/cancel",
        headers=(AS_ANN,),
        on="store",
        prepare=is_completed,
    ),
]
SCENES = [*_GAMES, *_CARTS, *_WISHLISTS, *_ORDERS]
