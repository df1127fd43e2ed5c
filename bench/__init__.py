"""The bench: load from one machine to itself, figures in one run, and a proof of the books after each of them."""
