"""The asynchronous side: processes that drain the streams and write Postgres. They meet through messages only.

start here      run
the sale        orders consumer worker records answers handover
the proof       reaper proof books
the bus         service bus once outbox scheduler schedules
people          auth accounts logins passwords mail
carts           migration carts
the store       store_orders order_steps money flash_orders follow_ups games
G2A             g2a key_orders
webhooks        webhooks
for all         faults clients
"""
