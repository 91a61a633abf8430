"""What a speaker is asked to say, and how."""

from __future__ import annotations

from dataclasses import dataclass

CLIPS, MOST_CLIPS = 5, 50  # of each emotion: usual, and as many as are asked for at most
# Of no emotion themselves, and the same for each: what is said must not tell how.
SENTENCES = (
    "The bus comes at half past nine.",
    "I have put the keys on the table.",
    "She said that he would call tomorrow.",
    "There are two letters in the box.",
    "We are going to my sister's at the weekend.",
    "The door of the kitchen is open again.",
    "It is on the other side of the street.",
    "They will be here in a quarter of an hour.",
    "I have just carried it up the stairs.",
    "Tomorrow we shall see what becomes of it.",
)
MANNERS = {
    "neutral": "as you would read out a shopping list",
    "happy": "as if you had just been told the best news of the year",
    "sad": "as if you had lost something that nobody can give back",
    "angry": "as if somebody had done it again, after you asked them not to",
    "fear": "as if someone were coming up the stairs who must not hear you tremble",
    "disgust": "as if you had bitten into something rotten",
    "surprise": "as if you could not believe your eyes",
}


@dataclass(frozen=True)
class Prompt:
    """One clip to record.

    Attributes
    ----------
    emotion : str
        Which.
    number : int
        Which of that emotion's clips, from 1.
    sentence, manner : str
        What to say, and how.
    """

    emotion: str
    number: int
    sentence: str
    manner: str

    @property
    def source(self) -> str:
        """Its name among the clips of a profile."""
        return f"prompt {self.emotion} {self.number}"


def prompts(emotions: tuple[str, ...], clips: int) -> list[Prompt]:
    """Ask for every emotion once, then for every emotion again.

    In turns, so that what changes over the minutes, a voice that tires or a chair that moves, is
    no emotion's own, and whoever stops early has some of each.

    Parameters
    ----------
    emotions : tuple of str
        Which.
    clips : int
        How many of each.
    """
    return [
        Prompt(
            emotion,
            number,
            SENTENCES[(number - 1) % len(SENTENCES)],
            MANNERS.get(emotion, f"as you do when what you feel is: {emotion}"),
        )
        for number in range(1, clips + 1)
        for emotion in emotions
    ]
