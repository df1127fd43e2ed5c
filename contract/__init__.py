"""What gateway and workers share, and nothing else; it knows neither the web nor the database.

every process   settings base_settings upstream_settings telemetry errors parent transport
the sale        messages order_ids
the bus         bus
people          seeds auth_keys access_tokens sealing
the store       games store_orders
G2A             g2a
Amazon          amazon
Goated          goated
webhooks        webhooks
"""
