"""How urgent the load generator is to the scheduler.

On a small machine it shares its core with the order worker and Postgres, which in earnest run elsewhere than the
buyers. In the open model a request that leaves late is charged to the gateway, so there the generator goes first.
"""

import contextlib
import os

# The least of the real-time priorities: enough to go before everything ordinary.
REAL_TIME = 1
# Where real time is not allowed, this much of a head start.
NICE = -10


def go_first() -> str:
    """Put this process before others of its core, as far as the system allows; says how."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REAL_TIME))
        return "real-time priority"
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        return f"nice {NICE}"
    return "ordinary priority"


def queue_up() -> str:
    """Make this process one among others again; says so."""
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if os.getpriority(os.PRIO_PROCESS, 0) < 0:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    return "ordinary priority"


def urgent(wanted: bool) -> str:
    """Go first, or queue up; says which priority this process has now."""
    return go_first() if wanted else queue_up()
