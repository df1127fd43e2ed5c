"""Plays seeds of the simulation: `python -m tests.simulation --seeds 10000`, or one again: `--seed 4711`."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.mutations import MUTATIONS
from tests.simulation.simulate import simulate

SEEDS = 1_000


def main() -> int:
    """Play them, say what was met and what is wrong; 1 when anything is."""
    by_name = {mutation.__name__: mutation for mutation in MUTATIONS}
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many seeds ({SEEDS})")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--mutation", choices=sorted(by_name), help="with this fault in the system")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds) if asked.seed is None else [asked.seed]
    met, failed, began_s = Counter[str](), 0, time.monotonic()
    for seed in seeds:
        result = simulate(seed, by_name.get(asked.mutation or ""))
        met += result.met
        failed += bool(result.complaints)
        for complaint in result.complaints:
            print(f"seed {seed}: {complaint}")
    for what, count in sorted(met.items()):
        print(f"{count:8} {what}")
    print(f"{failed} of {len(seeds)} seeds failed, in {time.monotonic() - began_s:.1f} s")
    return int(failed > 0)


sys.exit(main())
