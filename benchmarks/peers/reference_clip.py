"""The notebooks' chain on one file: ``python reference_clip.py MODEL.keras FILE.wav``."""

import sys

import keras
import librosa
import numpy as np

N_MFCC = 40
LABELS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")


def main(model_path: str, sound: str) -> None:
    """Print the label of a sound file."""
    model = keras.saving.load_model(model_path, compile=False, safe_mode=True)
    audio, rate = librosa.load(sound, sr=None)
    mfcc = librosa.feature.mfcc(y=audio, sr=rate, n_mfcc=N_MFCC)
    scores = model.predict(mfcc.mean(axis=1)[None], verbose=0)
    print(LABELS[int(np.argmax(scores))])


if __name__ == "__main__":
    main(*sys.argv[1:])
