"""The products of a seller, computed from numbers: what he and others call them, ugly where sellers are."""

from fluxgate.sandbox.amazon.chance import digest

FORMS = (
    "SKU-{:06}",
    "{:07}",
    "sku {:d} (blue/xl)",
    "Größe-{:d}",
    "商品-{:d}",
    "=A1+{:d}",
    "{:d}'; --",
    'B&W <{:d}> "x"',
    "{:d}%2F+%20",
)
NAMES = (
    "Paper Lantern, set of {}",
    "Steel bottle {} ml",
    "Lampe für Garten & Balkon №{}",
    "<b>Kettle</b> {} W \U0001fad6",
    "“Quoted” cup {}\ttab",
    "ワイヤレスイヤホン {}",
)
# A name that is longer than any column, and has a letter that no text of Postgres can have.
UGLY = "\x00" + "Very long name. " * 200
UGLY_EVERY = 10


class Products:
    """The products of a seller; `is_ugly` where some of their names are worse than anybody expects."""

    def __init__(self, seller: str, count: int, is_ugly: bool) -> None:
        self.seller = seller
        self.count = count
        self._is_ugly = is_ugly

    def sku(self, number: int) -> str:
        """What the seller calls a product."""
        form = FORMS[self.chance(number)[0] % len(FORMS)] if number % 5 == 0 else FORMS[0]
        return form.format(number)

    def asin(self, number: int) -> str:
        """What Amazon calls a product."""
        return f"B0{self.chance(number)[1:5].hex().upper()}"

    def name(self, number: int) -> str:
        """What buyers call a product."""
        name = NAMES[self.chance(number)[5] % len(NAMES)].format(number)
        return name + UGLY if self._is_ugly and number % UGLY_EVERY == 0 else name

    def chance(self, number: int) -> bytes:
        """What is by chance with a product, whatever becomes of it."""
        return digest(self.seller, "product", number)
