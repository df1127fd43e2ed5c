"""When a promo code may begin and end: any moment that Postgres keeps as it is, and none beyond."""

import msgspec
import pytest

from contract.store_orders import PromoBody

decoder = msgspec.json.Decoder(PromoBody)


@pytest.mark.parametrize("field", ["validFrom", "validUntil"])
@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59"],
)
def test_a_moment_at_the_ends_of_time_is_refused(field: str, moment: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="in a year from 1970 to 9998"):
        decoder.decode(f'{{"percent":10,"{field}":"{moment}"}}')


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00+14:00", "9998-12-31T23:59:59-12:00"])
def test_a_moment_well_within_them_is_taken(moment: str) -> None:
    assert decoder.decode(f'{{"percent":10,"validFrom":"{moment}"}}').valid_from is not None
