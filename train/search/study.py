"""The trials that a folder keeps, so that a search that was ended goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from edge_runtime.errors import SerEdgeError
from train.search.space import Space, decoded
from train.search.trial import Trial


class Study:
    """The search that a folder holds, or a new one.

    Parameters
    ----------
    folder : Path
        Made where there is none.
    fingerprint : str
        What all its trials have in common.
    space : dict
        What may vary.
    seed : int
        Of the values.

    Raises
    ------
    SerEdgeError
        When the folder cannot be written, is damaged or holds another search.
    """

    def __init__(self, folder: Path, fingerprint: str, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed
        self._study = _opened(folder)
        if self._study.user_attrs.setdefault("fingerprint", fingerprint) != fingerprint:
            raise SerEdgeError(
                f"{folder}: holds a search of another version of the recipe or of other "
                "recordings; delete it or choose another --out"
            )
        self._study.set_user_attr("fingerprint", fingerprint)

    def begin_with(self, encoded: dict[str, Any]) -> None:
        """Fix values of the first trial, where there is none yet; the others are drawn."""
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(encoded)

    def done(self) -> list[Trial]:
        """Trials that ended, in order."""
        reasons = self._study.user_attrs
        ended = [
            trial
            for trial in self._study.get_trials(
                deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL)
            )
            if trial.state == TrialState.COMPLETE or _reason_key(trial.number) in reasons
        ]
        return [
            Trial(
                number=number,
                values=decoded(trial.params),
                uar=trial.value,
                reason=reasons.get(_reason_key(trial.number), ""),
            )
            for number, trial in enumerate(ended, start=1)
        ]

    def next_trial(self) -> tuple[int, dict[str, Any]]:
        """Key and values of the trial that was under way, else of a new one."""
        for left in self._study.get_trials(states=(TrialState.RUNNING,)):
            if set(left.params) == set(self._space):
                return left.number, decoded(left.params)
            # Ended while its values were drawn: with no reason kept, it does not count.
            self._study.tell(left.number, state=TrialState.FAIL)
        # A generator of its own for each: those of a search that goes on would begin again.
        sequence = np.random.SeedSequence([self._seed, len(self.done())])
        self._study.sampler = optuna.samplers.TPESampler(seed=int(sequence.generate_state(1)[0]))
        trial = self._study.ask(dict(self._space))
        return trial.number, decoded(trial.params)

    def succeeded(self, key: int, uar: float) -> None:
        """Keep how well a trial did."""
        self._study.tell(key, uar)

    def failed(self, key: int, reason: str) -> None:
        """Keep why a trial failed."""
        self._study.set_user_attr(_reason_key(key), reason)
        self._study.tell(key, state=TrialState.FAIL)


def _opened(folder: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = folder / "trials.journal"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _drop_torn_line(journal)
        # Locked by a plain file: not every system lets everyone make the links of the default.
        backend = JournalFileBackend(str(journal), JournalFileOpenLock(str(journal)))
        return optuna.create_study(
            storage=JournalStorage(backend),
            study_name="search",
            direction="maximize",
            load_if_exists=True,
        )
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be written ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SerEdgeError(f"{journal}: is damaged ({error}); delete it to begin anew") from error


def _drop_torn_line(journal: Path) -> None:
    """Cut off what a crash left of a last line, or the next one would be lost with it."""
    if journal.is_file():
        written = journal.read_bytes()
        whole = written.rfind(b"\n") + 1
        if whole < len(written):
            os.truncate(journal, whole)


def _reason_key(number: int) -> str:
    return f"failed {number}"
