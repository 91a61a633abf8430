"""openWakeWord on a WAV file at the pace of a microphone; run by the Python that has it."""

import sys
import time
import wave

import numpy as np
from openwakeword.model import Model  # type: ignore[import-not-found]

SAMPLES = 1280  # 80 ms, what it takes at a time


def main(path: str, model: str) -> None:
    """Feed the file's samples to one wake-word model, and say when it is ready."""
    detector = Model(wakeword_model_paths=[model])
    print("ready", flush=True)
    with wave.open(path) as file:
        started = time.monotonic()
        n_read = 0
        while raw := file.readframes(SAMPLES):
            n_read += len(raw) // 2
            time.sleep(max(0.0, started + n_read / file.getframerate() - time.monotonic()))
            detector.predict(np.frombuffer(raw, "<i2"))


if __name__ == "__main__":
    main(*sys.argv[1:])
