"""A TCP proxy that knows whose connection it carries, and breaks the ones that a rule names."""
