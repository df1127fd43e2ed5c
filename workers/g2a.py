"""What the store buys from G2A: its catalogue, its stock, and the keys of orders that are paid.

Consumes  commands of the worker `g2a`; each group of them has a file of its own, named in HANDLERS below
Calls     G2A, by way of `workers/clients/g2a.py`
Writes    what those files say
Emits     a reply to each
Fails     as `workers/bus.py` says; what G2A refuses is told with the codes of its contract
"""

from workers.service import Handler, Service

HANDLERS: dict[str, Handler] = {}
G2A = Service("g2a", HANDLERS, query_file="bus")
