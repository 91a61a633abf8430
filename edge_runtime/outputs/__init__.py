"""Where events go. Each output is loaded only when it is asked for."""
