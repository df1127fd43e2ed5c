"""Outbound HTTP: the only place that knows another party's wire format.

for all         http breaker rate
G2A             g2a g2a_adapters g2a_line g2a_products
its contract    g2a_contract
its export API  g2a_export g2a_windows
Amazon          amazon
"""
