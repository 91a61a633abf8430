"""ser-edge on the device: emotion recognition in speech with numpy and one small interpreter."""

from edge_runtime.classifier import Classifier, Decision
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.features import FeatureConfig, FeatureExtractor, FrameStream
from edge_runtime.listener import listen

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "Decision",
    "Event",
    "FeatureConfig",
    "FeatureExtractor",
    "FrameStream",
    "SerEdgeError",
    "listen",
]
