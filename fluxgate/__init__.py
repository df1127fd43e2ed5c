"""The command line of Flux-Gate, and everything that runs the system on one machine."""
