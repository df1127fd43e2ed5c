"""The fault matrix: a sale is broken in every way that is known here, and every order of it has to be accounted for."""
