"""How many processes may work at a time."""

from __future__ import annotations

from edge_runtime.errors import SerEdgeError


def require_jobs(jobs: int) -> None:
    """Refuse a number of processes that has no meaning.

    Parameters
    ----------
    jobs : int
        1 is this process alone, -1 one per core.

    Raises
    ------
    SerEdgeError
        When it is 0 or below -1.
    """
    if jobs < 1 and jobs != -1:
        raise SerEdgeError(f"--jobs must be 1 or more, or -1 for one per core, not {jobs}")
