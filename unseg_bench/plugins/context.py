"""What a method can ask of the harness while it runs: stages, labels (if declared), progress."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask, Volume


@dataclass(frozen=True, slots=True)
class Artifact:
    """The finished result of a stage: a folder of files that nobody changes any more, and its digest."""

    stage: str
    folder: Path
    digest: str

    def path(self, name: str) -> Path:
        """Return the path of one file of the result."""
        return self.folder / name

    def array(self, name: str) -> NDArray[Any]:
        """Open `<name>.npy` as a read-only memory map."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


class Work(Protocol):
    """What a stage function is given: where to write, its seed, its device, and a way to tell how far it is."""

    @property
    def folder(self) -> Path:
        """Where the result's files go; kept as the artifact when the function returns."""
        ...

    @property
    def scratch(self) -> Path:
        """For checkpoints: survives a crash, deleted when the stage is done."""
        ...

    @property
    def seed(self) -> int:
        """Seed of this stage, derived from the run's seed and the stage's name."""
        ...

    @property
    def device(self) -> str:
        """Torch's name of the device, e.g. 'cpu' or 'cuda:0'."""
        ...

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are finished."""
        ...


Input: TypeAlias = "Artifact | Cohort | str"
"""What a stage can depend on: another stage's result, a cohort, or a digest (of weights, say)."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A named step with a cached result. Made by the decorator `stage`; run by `context.run`."""

    name: str
    function: Callable[..., None]
    seeded: bool
    module: str = field(repr=False)


def stage(name: str, *, seeded: bool = True) -> Callable[[Callable[..., None]], Stage]:
    """Turn `function(work, options, **inputs)` into a Stage whose files are cached.

    The cache key is the stage's name, the code of its module and of what that imports from the same package or from
    `unseg_bench.blocks`, the options it is given, the digests of its inputs, and the seed unless `seeded` is False.
    """

    def wrap(function: Callable[..., None]) -> Stage:
        return Stage(name, function, seeded, function.__module__)

    return wrap


class Labels(Protocol):
    """The door to reference masks. Every read is written to the run's ledger; what was not declared is refused."""

    def mask(self, case_id: str, purpose: str) -> Mask:
        """Return the whole-tumour reference on the prepared volume's grid; raises LabelAccessError if not granted."""
        ...

    def slice_labels(self, case_id: str, purpose: str) -> NDArray[np.bool_]:
        """Return, per axial slice of the prepared volume, whether it has tumour; raises LabelAccessError."""
        ...


class Context(Protocol):
    """What `fit` and `segment` can use of the harness."""

    @property
    def seed(self) -> int:
        """The run's seed."""
        ...

    @property
    def device(self) -> str:
        """Torch's name of the device, e.g. 'cpu' or 'cuda:0'."""
        ...

    @property
    def offline(self) -> bool:
        """True when nothing may touch the network."""
        ...

    @property
    def labels(self) -> Labels:
        """The door to reference masks, for methods that declare supervision."""
        ...

    @property
    def healthy(self) -> Cohort:
        """Volumes that the data set declares free of tumour; may be empty."""
        ...

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """Return the mask of a case that another run predicted, or that lies in a folder, on the volume's grid.

        `source`: a run's folder (run.json, predictions/<case>.nii.gz), or a folder of <case>.nii.gz or <case>.nii;
        above 0 is tumour. What the other run read of labels counts as read here; a folder, of which nobody knows what
        went into it, makes the label-free column 'unknown'. Ask outside of stages; a sealed method may only ask for a
        source that one of its options names. Raises LabelAccessError for reference masks, DataError naming file and
        remedy where there is no such mask, or where it belongs to other data or lies on another grid.
        """
        ...

    def run(
        self, step: Stage, options: BaseModel | None = None, *, extras: Mapping[str, Any] | None = None, **inputs: Input
    ) -> Artifact:
        """Run a stage, or take its result from the cache; raises RunError naming the stage when it fails.

        `inputs` are handed to the stage's function by name and are part of the cache key. `extras` are handed over
        too but are not part of the key: they must not change the result (the door to labels, beside their digest).
        """
        ...

    def record_weights(self, name: str, sha256: str) -> None:
        """Write into run.json which pretrained weights were used."""
        ...

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Write a line to the run's log.jsonl (JSON values)."""
        ...

    def table(self, name: str, rows: Sequence[Mapping[str, str | float | bool | None]]) -> None:
        """Write `tables/<name>.csv` into the run's folder, replacing it: one line a row, the names of the first on top.

        `name`: letters, digits, '-' and '_'. Raises ValueError for another name, and where rows differ in their names.
        """
        ...

    def keep_map(self, volume: Volume, scores: Image) -> None:
        """Hand over what a case's mask was cut from, (X, Y, Z) float, higher where tumour is likelier.

        Called inside `segment`, at most once a case. Written as `maps/<case>.nii.gz` if the run was asked to keep maps
        (`--keep-maps`), else forgotten. Raises ValueError for another shape or values that are not finite.
        """
        ...

    def alternative(self, volume: Volume, name: str, mask: Mask) -> None:
        """Hand over another answer for a case, e.g. at another threshold; scored beside the run's own.

        Called inside `segment`. Written as `alternatives/<name>/<case>.nii.gz`. `name`: letters, digits, '-', '_' and
        '.', not starting with '.'. Raises ValueError for other names or shapes.
        """
        ...

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are finished, outside a stage."""
        ...
