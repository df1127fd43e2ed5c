"""One trial: a sale runs, a fault strikes it in front of a crowd, the last unit is sold, and everything is checked."""

import random
import time
from collections.abc import Sequence

import msgspec

from chaos.checker import Verdict, accept_times, check, outage
from chaos.fault import SILENCE_S, Fault, Scene
from chaos.sale import Sale, eventually

# What the project promises: when a fault is over the system sells again by itself within this. A run of the matrix on a
# quiet machine holds it to that; the tests, which share theirs, do not measure time.
BACK_WITHIN_S = 10.0
# Moderate for two cores that also carry the crowd itself.
BUYERS_PER_S = 120.0
# Enough for the time promised at that rate, with something left over for the sell-out.
STOCK = 3_500
# Accepts before the fault (drawn), of the crowd that stands at the door when it happens, and after the recovery.
BEFORE, AT_THE_DOOR, AFTER = (50, 250), 400, 250
# The steps of the timeline.
TICK_S = 0.1


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial came to."""

    fault: str
    seed: int
    # None: the trial did not come to its end, and `problems` says why.
    verdict: Verdict | None = None
    # The longest time without an accept, and from the end of the fault until accepts came steadily again, in seconds.
    outage_s: float = 0.0
    recovery_s: float = 0.0
    # The same recovery, of the rows in Postgres, and the longest that an accepted order waited for its row.
    rows_recovery_s: float = 0.0
    slowest_row_s: float = 0.0
    # The shortest silence that counted as an outage.
    silence_s: float = SILENCE_S
    # The fault on the timeline, in seconds from its begin; and the accepts of each TICK_S of it.
    struck_s: float = 0.0
    ended_s: float = 0.0
    accepts: tuple[int, ...] = ()
    # What is wrong, in sentences, and what came too late. Both empty: the promise was kept.
    problems: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    # Why it was not tried on this machine.
    untried: str = ""


async def run_trial(fault: Fault, sale: Sale, seed: int) -> Trial:
    """Put a sale of STOCK units, not opened yet, through a fault."""
    draw = random.Random(f"{seed} {fault.name}")
    scene = Scene(sale.house, sale.product, draw)
    crowd = sale.crowd
    await sale.open()
    async with fault.around(scene), crowd.streaming(BUYERS_PER_S):
        before = draw.randint(*BEFORE)
        await sale.until(lambda: crowd.accepted() >= before, "the sale runs")
        crowd.rush(AT_THE_DOOR)
        await sale.until(lambda: crowd.accepted() >= before + AT_THE_DOOR // 4, "a crowd is at the door")
        struck = await fault.strike(scene)
        await sale.until(lambda: crowd.accepted(struck.ended) >= AFTER, "orders are accepted again")
        await eventually(lambda: sale.has_rows_since(struck.ended, AFTER), "orders become rows again")
        watched_until = time.perf_counter()
    selling = accept_times(crowd.outcomes)
    await sale.sell_out()
    await sale.drained()
    rows = await sale.rows()
    verdict = check(crowd.outcomes, rows, STOCK, crowd.cancellings)
    accepts = outage(selling, struck.at, watched_until, fault.silence_s)
    to_epoch = time.time() - time.perf_counter()
    dated = [] if fault.clock_lies else rows
    stored = outage((row.persisted_at - to_epoch for row in dated), struck.at, watched_until, fault.silence_s)
    trial = Trial(
        fault=fault.name,
        seed=seed,
        verdict=verdict,
        silence_s=fault.silence_s,
        outage_s=accepts.longest_s,
        recovery_s=max(0.0, accepts.over_at - struck.ended),
        rows_recovery_s=max(0.0, stored.over_at - struck.ended),
        slowest_row_s=max((row.persisted_at - row.accepted_at for row in dated), default=0.0),
        struck_s=struck.at - selling[0],
        ended_s=struck.ended - selling[0],
        accepts=_timeline(selling, watched_until),
        problems=(*verdict.faults, *await sale.problems(fault.allowed)),
    )
    if verdict.rows != STOCK:
        unsold = f"{verdict.rows} rows of {STOCK} units, although more buyers came"
        trial = msgspec.structs.replace(trial, problems=(*trial.problems, unsold))
    return msgspec.structs.replace(trial, late=tuple(_broken_promises(trial)))


def _broken_promises(trial: Trial) -> list[str]:
    promised = {"accepts": trial.recovery_s, "rows": trial.rows_recovery_s}
    return [f"{what} came again only after {s:.1f} s" for what, s in promised.items() if s > BACK_WITHIN_S]


def _timeline(moments: Sequence[float], watched_until: float) -> tuple[int, ...]:
    """Accepts in each TICK_S since the first."""
    ticks = [0] * (int((watched_until - moments[0]) / TICK_S) + 1)
    for moment in moments:
        if moment <= watched_until:
            ticks[int((moment - moments[0]) / TICK_S)] += 1
    return tuple(ticks)
