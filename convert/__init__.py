"""ser-edge between desktop and device: from a fitted model to one verified model file."""
