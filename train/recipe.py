"""A recipe: everything that decides a training run, read from one TOML file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig
from edge_runtime.metadata import LABELS
from train.augment import Augmentation
from train.augment_audio import AudioAugmentation, check_audio_augmentation
from train.numbers import is_number
from train.preprocess import check_steps
from train.teacher import TEACHERS
from train.toml_text import read_toml

RECIPES = Path(__file__).parent / "recipes"

# By the annotation of a field: what its value must be, and whether it is.
TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("a whole number above 0", lambda value: type(value) is int and value > 0),
    "float": ("a number, 0 or more", lambda value: is_number(value) and value >= 0),
    "Count": ("a whole number, 0 or more", lambda value: type(value) is int and value >= 0),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "str": ("a text", lambda value: isinstance(value, str) and bool(value)),
    "tuple[str, ...]": (
        "a list of texts",
        lambda value: isinstance(value, tuple) and all(isinstance(v, str) for v in value),
    ),
    "tuple[float, float]": (
        "a list of two numbers, the smaller first",
        lambda value: (
            isinstance(value, tuple)
            and len(value) == 2
            and all(map(is_number, value))
            and value[0] <= value[1]
        ),
    ),
    "dict[str, str]": (
        "a table of texts",
        lambda value: isinstance(value, dict) and all(isinstance(v, str) for v in value.values()),
    ),
    "dict[str, Any]": ("a table", lambda value: isinstance(value, dict)),
    "tuple[dict[str, Any], ...]": (
        "a list of tables",
        lambda value: isinstance(value, tuple) and all(isinstance(v, dict) for v in value),
    ),
}
BELOW_ONE = {
    "average",
    "weight",
    "unlabelled_share",
    "label_smoothing",
    "tempo",
    "warp",
    "pitch",
    "time_mask",
    "band_mask",
    "test_share",
    "validation_share",
    "reduce_factor",
}
AT_MOST_ONE = {"borrowed_spectrum"}
ABOVE_ZERO = {"hop_seconds", "learning_rate", "test_share", "validation_share", "reduce_factor"}
OPTIONAL_TABLES = ("transfer", "distillation")
TABLES = ("features", "training", "augmentation", "audio_augmentation", "model", *OPTIONAL_TABLES)
CHOICES = {
    "examples": ("windows", "clips"),
    "split": ("speakers", "random", "automatic"),
    "optimizer": ("adam", "adamw", "sgd", "rmsprop"),
    "schedule": ("constant", "cosine", "one-cycle"),
    "monitor": ("loss", "accuracy", "uar"),
    "freeze": ("nothing", "body"),
    "teacher": tuple(TEACHERS),
}
KEPT = ("json-h5", "features", "test-set")
# What varies log-mel windows and has no meaning for other frames.
ONLY_WINDOWS = ("tempo", "warp", "pitch", "borrowed_spectrum", "tilt_db", "gain_db", "noise_db")
Count = int


@dataclass(frozen=True)
class Training:
    """How the network is fitted.

    Attributes
    ----------
    steps : int
        Number of batches.
    batch_size : int
        Windows in a batch, classes and corpora drawn equally often.
    learning_rate : float
        Peak of the one-cycle schedule.
    weight_decay : float
        Of AdamW.
    label_smoothing : float
        0 to below 1.
    validation_interval : int
        Batches between looks at the validation speakers.
    average : float
        Momentum, from one batch to the next, of the running average of weights that is looked at
        and kept; 0 averages nothing, 0.999 over about a thousand batches.
    restore_best : bool
        Keep what did best on the validation speakers; otherwise the last.
    validation_speakers : int
        At most so many of the speakers of each corpus that a protocol holds out for validation
        stay held out, the others are trained on; 0 leaves them all.
    """

    steps: int = 3000
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    validation_interval: int = 250
    average: float = 0.0
    restore_best: bool = True
    validation_speakers: Count = 0


@dataclass(frozen=True)
class ClipTraining:
    """How a network is fitted to whole recordings, epoch by epoch.

    Attributes
    ----------
    epochs : int
        Passes over the training recordings, at most.
    batch_size : int
        Recordings in a batch.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"}
        What follows the gradient.
    learning_rate, weight_decay : float
        Of the optimizer; the rate is the peak of the schedule.
    schedule : {"constant", "cosine", "one-cycle"}
        How the rate goes over the steps.
    label_smoothing : float
        0 to below 1.
    balanced : bool
        Whether each class weighs the same, however many recordings it has.
    monitor : {"loss", "accuracy", "uar"}
        What of the validation part decides.
    restore_best : bool
        Keep the weights of the epoch that did best; otherwise those of the last.
    patience : int
        Epochs without a better one after which training ends; 0 never.
    reduce_patience : int
        Epochs without a better one after which the learning rate is reduced; 0 never.
    reduce_factor : float
        What the learning rate is multiplied by then.
    """

    epochs: int = 50
    batch_size: int = 64
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "constant"
    label_smoothing: float = 0.0
    balanced: bool = False
    monitor: str = "loss"
    restore_best: bool = True
    patience: Count = 0
    reduce_patience: Count = 0
    reduce_factor: float = 0.5


@dataclass(frozen=True)
class Transfer:
    """What a run starts from, in place of random weights.

    Attributes
    ----------
    start : str
        Folder of the run whose model it starts from.
    freeze : {"nothing", "body"}
        Whether all but the last, classifying layers stay as they are.
    """

    start: str
    freeze: str = "nothing"


@dataclass(frozen=True)
class Distillation:
    """What is learnt from beside the labels.

    Attributes
    ----------
    teacher : {"whisper-base", "whisper-base-by-speaker"}
        A regression over what a large network hears, whose probabilities for the training
        recordings come from other speakers; "by speaker" it takes away the mean of each speaker's,
        and has statistics of the MFCC beside it.
    weight : float
        Their share of the targets, below 1; the labels have the rest.
    unlabelled : tuple of str
        Corpora whose recordings are trained on with what the teacher thinks of them alone; by
        their labels, as far as the split has them, where one speaker alone is trained on. One that
        a split trains, selects or judges on is left out of it, so are the speakers that it selects
        or judges on wherever else they speak.
    unlabelled_share : float
        Share of their windows in every batch, below 1.

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network",
    arXiv:1503.02531, 2015, section 2, at a temperature of one.
    """

    teacher: str
    weight: float = 0.5
    unlabelled: tuple[str, ...] = ()
    unlabelled_share: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run but the seed.

    Attributes
    ----------
    name : str
        Also the model's name.
    corpora : tuple of str
        What to train on.
    labels : tuple of str
        The classes; none stands for all that occur.
    merge : dict of str to str
        Emotions of a corpus that count as another.
    split : {"speakers", "random", "automatic"}
        How ``fit`` parts the recordings: by the speakers named below; at random; or by speakers
        drawn at random where enough are known, else at random.
    validation_speakers, test_speakers : tuple of str
        Who is held out.
    test_share, validation_share : float
        Of a random split: of all recordings, and of those that the test part left.
    examples : {"windows", "clips"}
        What the model is trained on: random windows of the recordings, varied in the log-mel
        domain, or each recording as a whole, cut or padded to one window.
    window_frames : int
        Frames in the model's window.
    hop_seconds : float
        Time between decisions on a stream.
    preprocess : tuple of dict
        Steps on the whole recording, in their order; see `train.preprocess`.
    normalise : bool
        Whether features are standardised over the training part.
    features : FeatureConfig
        What the model reads.
    architecture : str
        Key of `train.architectures.ARCHITECTURES`.
    model : dict
        Options of the architecture.
    training : Training or ClipTraining
        How the network is fitted to windows, or to clips.
    augmentation : Augmentation
        How examples are varied.
    audio_augmentation : AudioAugmentation
        How varied copies of the training recordings are made.
    transfer : Transfer or None
        What it starts from.
    distillation : Distillation or None
        The teacher that it learns from.
    search : dict
        What `train.search` may vary, by dotted key.
    keep : tuple of {"json-h5", "features", "test-set"}
        What else a run leaves: the network as JSON with its weights as H5, the arrays that it
        was trained and tested on, the list of the test recordings.
    licence : str
        Of the weights.
    """

    name: str
    corpora: tuple[str, ...]
    window_frames: int
    features: FeatureConfig
    architecture: str
    labels: tuple[str, ...] = LABELS
    merge: dict[str, str] = field(default_factory=dict)
    split: str = "speakers"
    validation_speakers: tuple[str, ...] = ()
    test_speakers: tuple[str, ...] = ()
    test_share: float = 0.2
    validation_share: float = 0.2
    examples: str = "windows"
    hop_seconds: float = 0.5
    preprocess: tuple[dict[str, Any], ...] = ()
    normalise: bool = True
    model: dict[str, Any] = field(default_factory=dict)
    training: Training | ClipTraining = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)
    audio_augmentation: AudioAugmentation = field(default_factory=AudioAugmentation)
    transfer: Transfer | None = None
    distillation: Distillation | None = None
    search: dict[str, Any] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    licence: str = "unspecified"

    def on_data(
        self, corpora: tuple[str, ...], labels: tuple[str, ...] = (), folder: Path = Path()
    ) -> Recipe:
        """The recipe for other recordings, by default all their emotions; split automatically.

        It has no teacher, who would want a recogniser and corpora that whoever has recordings of
        their own need not have.

        Parameters
        ----------
        corpora : tuple of str
            Their names.
        labels : tuple of str, optional
            The classes.
        folder : Path, optional
            What ``folder:DIR`` and ``table:FILE`` are relative to.
        """
        names = "-".join(_plain_name(corpus, folder) for corpus in corpora)
        return dataclasses.replace(
            self,
            name=f"{self.name}-{names}",
            corpora=corpora,
            labels=labels,
            split="automatic",
            validation_speakers=(),
            test_speakers=(),
            distillation=None,
            licence="unspecified",
        )

    def starting_from(self, run: str, freeze: str) -> Recipe:
        """The recipe with the model of another run to start from."""
        name = self.name if self.transfer else f"{self.name}-tuned"
        return dataclasses.replace(self, name=name, transfer=Transfer(run, freeze))

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return {**dataclasses.asdict(self), "features": self.features.to_dict()}


def _plain_name(corpus: str, folder: Path) -> str:
    """Name of a corpus, or of its folder or table: ``folder:.`` has one too."""
    _, colon, given = corpus.partition(":")
    # A link keeps its name, which `Path.resolve` would follow.
    return Path(os.path.abspath(folder / given)).stem if colon else corpus  # noqa: PTH100


def load_recipe(name: str) -> Recipe:
    """Load a recipe by the name of a bundled one, or from a TOML file.

    Raises
    ------
    SerEdgeError
        When it does not exist, is not TOML, or a key or value is wrong.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise SerEdgeError(f"{name}: no such recipe; give a .toml file or one of {known}")
    fields = read_toml(path)
    try:
        return recipe_of(fields)
    except SerEdgeError as error:
        raise SerEdgeError(f"{path}: {error}") from error


def recipe_of(fields: dict[str, Any]) -> Recipe:
    """Build a recipe from the values of a TOML file, or of `Recipe.to_dict`.

    Raises
    ------
    SerEdgeError
        When a key or value is wrong.
    """
    fields = dict(fields)
    # Decides which keys the table of the training has.
    examples = fields.get("examples", "windows")
    _require_choice("examples", examples)
    for name in TABLES:
        table = fields.get(name, {})
        if not isinstance(table, dict) and not (name in OPTIONAL_TABLES and table is None):
            raise SerEdgeError(f"{name} must be a table, not {table!r}")
    try:
        fields["features"] = FeatureConfig.from_dict(fields.get("features", {}))
        training = ClipTraining if examples == "clips" else Training
        fields["training"] = _checked(training(**fields.get("training", {})))
        fields["augmentation"] = _checked(Augmentation(**_tuples(fields.get("augmentation", {}))))
        fields["audio_augmentation"] = AudioAugmentation(
            **_tuples(fields.get("audio_augmentation", {}))
        )
        for name, of in (("transfer", Transfer), ("distillation", Distillation)):
            if fields.get(name) is not None:
                fields[name] = _checked(of(**_tuples(fields[name])))
        fields["model"] = _tuples(fields.get("model", {}))
        recipe = _checked(Recipe(**_tuples(fields)))
    except (TypeError, AttributeError) as error:
        raise SerEdgeError(str(error)) from error
    _check_whole(recipe)
    return recipe


def _check_whole(recipe: Recipe) -> None:
    """Check what a field's own type does not say."""
    _check_name(recipe.name)
    _check_lists(recipe)
    check_steps(recipe.preprocess)
    check_audio_augmentation(recipe.audio_augmentation)
    for kept in recipe.keep:
        if kept not in KEPT:
            raise SerEdgeError(f"keep: {kept!r} is none of {', '.join(KEPT)}")
    if isinstance(recipe.training, ClipTraining):
        if recipe.distillation is not None:
            raise SerEdgeError('distillation goes with examples = "windows" only')
        if recipe.training.reduce_patience and recipe.training.schedule != "constant":
            raise SerEdgeError('training: reduce_patience goes with schedule = "constant" only')
        for name in ONLY_WINDOWS:
            if getattr(recipe.augmentation, name) != getattr(Augmentation(), name):
                raise SerEdgeError(
                    f'augmentation: {name} varies windows; with examples = "clips" use '
                    "[audio_augmentation], time_mask, band_mask or mixup"
                )


def _check_name(name: str) -> None:
    """A recipe's runs lie in folders of its name."""
    if name in (".", "..") or set(name) & set("/\\\0"):
        raise SerEdgeError(f"name must be fit for a folder, without / and \\, not {name!r}")


def _check_lists(recipe: Recipe) -> None:
    if not recipe.corpora:
        raise SerEdgeError("corpora must name one or more")
    if len(recipe.labels) == 1:
        raise SerEdgeError(
            f"labels must name two or more, not {recipe.labels[0]!r} alone; none stands for all "
            "that occur"
        )
    for name in ("corpora", "labels"):
        values = getattr(recipe, name)
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise SerEdgeError(f"{name}: {twice[0]!r} is given twice; name it once")
    both = set(recipe.validation_speakers) & set(recipe.test_speakers)
    if both:
        raise SerEdgeError(
            f"{min(both)!r} is in both validation_speakers and test_speakers; choose one"
        )


Record = TypeVar("Record")


def _checked(record: Record) -> Record:
    """Give the record back, or say which of its values has no sense."""
    for item in dataclasses.fields(record):  # type: ignore[arg-type]
        value = getattr(record, item.name)
        wanted, fits = TYPES.get(str(item.type), ("", _anything))
        if not fits(value):
            raise SerEdgeError(f"{item.name} must be {wanted}, not {value!r}")
        if item.name in BELOW_ONE and value >= 1:
            raise SerEdgeError(f"{item.name} must be below 1, not {value!r}")
        if item.name in AT_MOST_ONE and value > 1:
            raise SerEdgeError(f"{item.name} must be at most 1, not {value!r}")
        if item.name in ABOVE_ZERO and value <= 0:
            raise SerEdgeError(f"{item.name} must be above 0, not {value!r}")
        if item.name in CHOICES:
            _require_choice(item.name, value)
    return record


def _require_choice(name: str, value: Any) -> None:
    if value not in CHOICES[name]:
        raise SerEdgeError(f"{name} must be one of {', '.join(CHOICES[name])}, not {value!r}")


def _anything(value: Any) -> bool:
    return True


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """TOML's lists as tuples, so that a recipe cannot change under way."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
