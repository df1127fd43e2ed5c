"""The HTTP side: stateless processes that talk to clients and Redis, and never to Postgres.

start here      app gate
HTTP            rsgi routing head body patience replying negotiation visitors stopping redis_faults
the sale        orders sales admission memory lanes room events watching
the bus         asking replies commands envelope forms caching cached_reads last_answers
people          auth identity tokens cookies cross_site throttle
the store       games carts wishlists store_orders order_keys
G2A             g2a
Amazon          amazon amazon_replies syncs sync_events progress
Goated          goated races affiliate race_events race_news users verification
watching        subscription newest server_sent streaming
webhooks        webhooks webhook_signatures
operations      health cache_admin metrics meters bus_metrics upstream_metrics
the description openapi: schemas problems envelopes, and a page for each family of routes
"""
