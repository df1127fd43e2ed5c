"""Outbound HTTP: the only place that knows another party's wire format."""
