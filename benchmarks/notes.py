"""Numbered notes under a table."""

from __future__ import annotations


class Notes:
    """Sentences that cells of a table refer to, each written once.

    Examples
    --------
    >>> notes = Notes()
    >>> notes.mark("Not run."), notes.mark("Not made."), notes.mark("Not run.")
    ('[1]', '[2]', '[1]')
    >>> print(notes.below("| - [1] | - [2] |"))
    | - [1] | - [2] |
    <BLANKLINE>
    1. Not run.
    2. Not made.
    """

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def mark(self, sentence: str) -> str:
        """Note a sentence, and give what refers to it."""
        if sentence not in self._sentences:
            self._sentences.append(sentence)
        return f"[{self._sentences.index(sentence) + 1}]"

    def nothing(self, sentence: str) -> str:
        """A cell that cannot be filled, and why."""
        return f"- {self.mark(sentence)}"

    def below(self, table: str) -> str:
        """The table with the notes under it."""
        if not self._sentences:
            return table
        lines = [f"{number}. {text}" for number, text in enumerate(self._sentences, start=1)]
        return "\n".join([table, "", *lines])
