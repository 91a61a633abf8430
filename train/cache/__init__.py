"""Features computed once and kept on disk, by the content of the recording.

In the folder lie ``contents.json`` (`train.cache.contents`), which spares reading a file to know
its content, and for every extraction a folder of packs (`train.cache.pack_file`).
"""

from __future__ import annotations

from train.cache.feature_cache import FeatureCache

__all__ = ["FeatureCache"]
