#!/usr/bin/env bash
# Makes examples/demo.wav: synthetic speech in four manners, 16 kHz, mono, 16 bit.
# Needs espeak-ng and sox. The same versions of both give the same bytes.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { # say NAME VOICE WORDS_PER_MINUTE PITCH AMPLITUDE TEXT
    espeak-ng -v "$2" -s "$3" -p "$4" -a "$5" -w "$work/$1.raw.wav" "$6"
    # -D and -R: no dither, the same bytes each time; 0.3 s of silence parts the sentences
    sox -D -R -v 0.8 "$work/$1.raw.wav" -r 16000 -c 1 -b 16 "$work/$1.wav" pad 0 0.3
}

#   name      voice     speed pitch amplitude
say calm      en-gb     155   45     55  "The meeting begins at nine."
say excited   en-us+f3  215   85    110  "We won! I cannot believe it, we really won!"
say low       en-gb+m3  120   15     35  "I am so sorry. There is nothing left to do."
say angry     en-us+m7  195   30    150  "No! Never touch that again!"

sox -D -R "$work"/{calm,excited,low,angry}.wav -b 16 demo.wav gain -n -1
soxi demo.wav
