"""What a small network may learn from beside the labels: the probabilities of a large one."""

from __future__ import annotations

from train.teacher.soft_targets import TEACHERS, soft_targets

__all__ = ["TEACHERS", "soft_targets"]
