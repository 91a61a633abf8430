"""ser-edge on the desktop: from corpora to a fitted model with honest figures."""
