"""What others tell us by webhook, after the gateway has checked who says it: each event once.

Consumes  commands of the worker `webhooks`
Calls     nothing
Writes    webhook_events
Emits     a reply to each
Fails     as `workers/bus.py` says
"""

from workers.service import Handler, Service

HANDLERS: dict[str, Handler] = {}
WEBHOOKS = Service("webhooks", HANDLERS, query_file="bus")
