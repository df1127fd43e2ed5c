"""Outbound HTTP: the only place that knows another party's wire format.

for all         http breaker rate counting
G2A             g2a g2a_adapters g2a_line g2a_products
its contract    g2a_contract
its export API  g2a_export g2a_windows
Amazon          amazon amazon_adapters amazon_line amazon_lwa amazon_pace amazon_reading amazon_money
its resources   amazon_finances_v0 amazon_finances_2024 amazon_inventory amazon_orders_v0 amazon_orders_2026
Goated          goated goated_adapters goated_line goated_tokens goated_forms goated_entries
"""
