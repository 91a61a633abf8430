"""Tells sound files apart by their first bytes: names lie, contents do not."""

from __future__ import annotations

HEAD_LENGTH = 12  # bytes that `identify` looks at

MAGIC = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"caff": "CAF",
    b"RF64": "RF64",
    b"RIFX": "RIFX",
    b"riff": "Wave64",
    b".snd": "AU",
    b"Creative": "VOC",
    b"NIST_1A": "NIST SPHERE",
    b"#!AMR": "AMR",
    b"\x1aE\xdf\xa3": "Matroska/WebM",
    b"0&\xb2u\x8ef\xcf\x11": "Windows Media",
}
# What neither ser-edge nor soundfile can decode.
UNREADABLE = frozenset({"MPEG-4", "AMR", "Matroska/WebM", "Windows Media"})


def identify(head: bytes) -> str | None:
    r"""Name the format of a sound file.

    Parameters
    ----------
    head : bytes
        Its first `HEAD_LENGTH` bytes.

    Returns
    -------
    str or None
        "WAV", "AIFF", "FLAC", "Ogg", "MP3" and so on; None when it is no sound file.

    Examples
    --------
    >>> identify(b"FORM\x00\x019\xf2AIFF")
    'AIFF'
    >>> identify(b"hello, world") is None
    True
    """
    if head[:4] == b"RIFF":
        return "WAV" if head[8:12] == b"WAVE" else None
    if head[:4] == b"FORM":
        return "AIFF" if head[8:12] in (b"AIFF", b"AIFC") else None
    if head[4:8] == b"ftyp":
        return "MPEG-4"
    for magic, name in MAGIC.items():
        if head.startswith(magic):
            return name
    return "MP3" if _starts_mp3_frame(head) else None


def _starts_mp3_frame(head: bytes) -> bool:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and sample_rate != 3
