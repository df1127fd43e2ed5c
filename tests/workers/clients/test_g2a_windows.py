"""Cutting a catalogue that is larger than what an API shows of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.clients.g2a_windows import HIGHEST_CENTS, PAGE_SIZE, SHOWN_MAX, TooDense, Window, Windows


class Shop:
    """Products by what they cost, in cents; the bounds of a window are in it, or the upper one is not."""

    def __init__(self, prices: dict[int, int], *, is_upper_in: bool = True) -> None:
        self.prices = prices
        self.is_upper_in = is_upper_in
        self.counted: list[Window] = []

    def holds(self, window: Window, price: int) -> bool:
        high = HIGHEST_CENTS * 10 if window.high is None else window.high
        return window.low <= price <= high if self.is_upper_in else window.low <= price < high

    async def count(self, window: Window) -> int:
        self.counted.append(window)
        return sum(many for price, many in self.prices.items() if self.holds(window, price))

    @property
    def total(self) -> int:
        return sum(self.prices.values())


PRICES = st.dictionaries(st.integers(0, 200_000), st.integers(1, SHOWN_MAX // 2), max_size=40)


@given(PRICES, st.booleans())
async def test_every_product_is_on_a_page_that_is_shown(prices: dict[int, int], is_upper_in: bool) -> None:
    shop = Shop(prices, is_upper_in=is_upper_in)
    windows = Windows(shop.total)
    await windows.cut(shop.count)
    assert windows.found >= windows.total
    places = [windows.find(page) for page in range(1, windows.pages + 1) if windows.total]
    of_window: dict[Window, list[int]] = {}
    for place in places:
        assert place
        of_window.setdefault(place[0], []).append(place[1])
    for window, pages in of_window.items():
        count = await shop.count(window)
        assert pages == list(range(1, -(-count // PAGE_SIZE) + 1))
        assert count <= SHOWN_MAX
    for price in prices:
        assert any(shop.holds(window, price) for window in of_window)
    assert windows.find(windows.pages + 1) is None


async def test_a_catalogue_that_is_shown_as_a_whole_is_not_cut() -> None:
    shop = Shop({999: SHOWN_MAX})
    windows = Windows(shop.total)
    await windows.cut(shop.count)
    assert (shop.counted, windows.pages, windows.find(500)) == ([], 500, (Window(0, None), 500))


async def test_more_products_of_one_price_than_are_shown_are_told() -> None:
    shop = Shop({100: 5, 999: SHOWN_MAX + 1})
    with pytest.raises(TooDense, match=r"cost 9\.9[89]"):
        await Windows(shop.total).cut(shop.count)


async def test_an_api_that_does_not_look_at_the_bounds_is_found_out() -> None:
    async def count(_: Window) -> int:
        return 100_000

    with pytest.raises(TooDense):
        await Windows(100_000).cut(count)


async def test_counting_that_is_interrupted_goes_on_where_it_was() -> None:
    shop = Shop(dict.fromkeys(range(100, 2000, 100), 3000))
    windows, whole = Windows(shop.total), Shop(shop.prices)
    await Windows(whole.total).cut(whole.count)

    async def count_three(window: Window) -> int:
        if len(shop.counted) % 4 == 3:
            shop.counted.append(Window(-1, -1))
            raise TimeoutError
        return await shop.count(window)

    while not windows.is_cut:
        try:
            await windows.cut(count_three)
        except TimeoutError:
            continue
    assert [window for window in shop.counted if window.low >= 0] == whole.counted
