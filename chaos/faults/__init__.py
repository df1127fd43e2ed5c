"""What is done to a running system: one file for each kind of fault."""
