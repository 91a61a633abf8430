"""A way to split corpora, with the words that stand beside its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from train.corpora import Utterance
from train.splits.caveats import warnings_of
from train.splits.split import Split


@dataclass(frozen=True)
class Protocol:
    """A way to split corpora.

    Attributes
    ----------
    corpora : tuple of str
        What it needs.
    description : str
        One sentence to stand beside every figure.
    split : callable
        ``split(utterances, seed)`` gives its splits.
    merge : dict of str to str
        Emotions that count as another.
    by_data : bool
        Whether its classes, and who is on which side, depend on the recordings. Then its
        description cannot name them; see `described`.
    """

    corpora: tuple[str, ...]
    description: str
    split: Callable[[list[Utterance], int], list[Split]]
    merge: dict[str, str] = field(default_factory=dict)
    by_data: bool = False

    def described(self, splits: list[Split]) -> str:
        """Give the description, with what only the splits themselves can say.

        Parameters
        ----------
        splits : list of Split
            All that `split` gave, or the one whose figure it stands beside.

        Returns
        -------
        str
            The description alone, unless `by_data`; then also the classes and the warnings.
        """
        if not self.by_data:
            return self.description
        warnings = Counter(text for split in splits for text in warnings_of(split, self.merge))
        sentences = [f"{self.description}; {_classes(splits)}."]
        for text, count in warnings.items():
            where = "" if count == len(splits) else f"In {count} of {len(splits)} splits: "
            sentences.append(where + text)
        return " ".join(sentences).rstrip(".")


def _classes(splits: list[Split]) -> str:
    found = {split.labels for split in splits}
    if len(found) == 1:
        labels = splits[0].labels
        return f"{len(labels)} classes: {', '.join(labels)}"
    sizes = sorted(map(len, found))
    number = f"{sizes[0]} to {sizes[-1]}" if sizes[0] < sizes[-1] else str(sizes[0])
    return f"{number} classes, not the same in every split"
