"""What gateway and workers share, and nothing else: settings, messages, errors, telemetry, transport."""
