"""A plugin of pytest for slow places: tests that draw examples draw few."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

PROFILE = "quick"
N_EXAMPLES = 5

settings.register_profile(
    PROFILE,
    max_examples=N_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
