"""What ser-edge costs, what its peers cost, and how well it does."""
