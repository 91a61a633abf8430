"""The cells of the matrix: where the wheel is installed, and with what."""

from __future__ import annotations

from dataclasses import dataclass, replace

X86_64, AARCH64, ARMV7L = "x86-64", "aarch64", "armv7l"
LITERT, TFLITE, ONNX = "ai-edge-litert", "tflite-runtime", "onnxruntime"
BACKENDS = {LITERT: "litert", TFLITE: "tflite-runtime", ONNX: "onnxruntime"}
ONNX_MODEL = "edge.float32.onnx"


@dataclass(frozen=True)
class Cell:
    """One installation.

    Attributes
    ----------
    architecture : str
        "x86-64", which is run as it is; "aarch64" and "armv7l" are run under qemu.
    python : str
        Its version, as "3.11".
    interpreter : str, optional
        The package that shall run the model; None where none is published, and ser-edge has to say
        what to install.
    extras : tuple of str
        What is asked of pip besides the base install.
    without : tuple of str
        Packages of the base install that are taken out again, so that the interpreter is alone.
    model : str, optional
        A file of ``benchmarks/models``; the bundled model by default.
    suite : str, optional
        Debian's release whose Python it is, for what runs under qemu.
    """

    architecture: str
    python: str
    interpreter: str | None
    extras: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    model: str | None = None
    suite: str | None = None

    @property
    def name(self) -> str:
        """As it is chosen by and told to people."""
        interpreter = self.interpreter or "no interpreter"
        return f"{self.architecture}, Python {self.python}, {interpreter}"

    @property
    def requirement(self) -> str:
        """What pip is asked for, as somebody would type it."""
        return f"ser-edge[{','.join(self.extras)}]" if self.extras else "ser-edge"


def _only_tflite(python: str) -> Cell:
    return Cell(X86_64, python, TFLITE, ("tflite",), (LITERT,))


def _on_arm(cell: Cell, architecture: str, suite: str) -> Cell:
    # The interpreters for 32-bit ARM come with the base install, and are the only ones.
    extras, without = (cell.extras, cell.without) if architecture == AARCH64 else ((), ())
    return replace(cell, architecture=architecture, suite=suite, extras=extras, without=without)


CELLS = (
    _only_tflite("3.9"),
    Cell(X86_64, "3.9", LITERT),
    Cell(X86_64, "3.10", LITERT),
    _only_tflite("3.11"),
    Cell(X86_64, "3.11", LITERT),
    Cell(X86_64, "3.11", ONNX, ("onnx",), (LITERT,), ONNX_MODEL),
    Cell(X86_64, "3.12", LITERT),
    Cell(X86_64, "3.13", LITERT),
    _on_arm(Cell(X86_64, "3.11", LITERT), AARCH64, "bookworm"),
    _on_arm(_only_tflite("3.11"), AARCH64, "bookworm"),
    _on_arm(_only_tflite("3.11"), ARMV7L, "bookworm"),
    _on_arm(Cell(X86_64, "3.13", None), ARMV7L, "trixie"),
)
