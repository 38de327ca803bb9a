"""What a picture of a case needs: FLAIR, reference and each method's mask on one grid, cropped to the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unseg_bench.data.labels import read_reference
from unseg_bench.data.nifti import grid_difference, read_labels
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore
from unseg_bench.errors import DataError
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.made import made_in, refuse_other_image
from unseg_bench.run.settings import make_dataset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.data.store import PreparedCase
    from unseg_bench.data.volume import Image, Mask
    from unseg_bench.plugins.dataset import Dataset

MARGIN_MM = 5.0
"""Space around head and masks."""
_WINDOW_PERCENTILES = (0.5, 99.7)


@dataclass(frozen=True, slots=True, eq=False)
class CasePicture:
    """One case, all arrays (X, Y, Z) on one grid: x to the left, y to the back, z to the top (LPS).

    image: float32, z-scored inside the brain; outside it holds the brain's lowest value, so that it is black.
    predictions: by label, without the methods that have none for this case. start: where the first voxel lies on the
    whole file's LPS grid.
    """

    case: str
    image: Image
    spacing_mm: tuple[float, float, float]
    reference: Mask
    predictions: Mapping[str, Mask]
    start: tuple[int, int, int]

    def grey(self) -> NDArray[np.uint8]:
        """The image as grey levels 0-255, (X, Y, Z): black to white from the 0.5th to the 99.7th percentile."""
        brain = self.image[self.image > self.image.min()]
        low, high = np.percentile(brain, _WINDOW_PERCENTILES) if brain.size else (0.0, 1.0)
        scaled = (self.image - np.float32(low)) * np.float32(255 / max(float(high - low), 1e-6))
        return np.clip(scaled + np.float32(0.5), 0, 255).astype(np.uint8)


class CaseImages:
    """Opens the cases of a comparison's runs; nothing is written into any run.

    `seeds` tells by label which seed is shown: the lowest. Labels whose run has no folder have no predictions here.
    """

    def __init__(self, dataset: Dataset, runs: Mapping[str, RunScores]) -> None:
        """`runs`: one run a label, each with a folder."""
        self.seeds = {label: run.seed for label, run in runs.items()}
        self._dataset = dataset
        self._folders = {label: RunFolder(run.folder) for label, run in runs.items() if run.folder is not None}
        self._made = {folder.path: made_in(folder) for folder in self._folders.values()}
        self._cases = {label: frozenset(score.case for score in run.scores) for label, run in runs.items()}
        self._store = PreparedStore(cache_dir() / "prepared")

    @classmethod
    def of(cls, runs: Sequence[RunScores], data: Path | None = None) -> CaseImages:
        """Open the data set that the runs were made on; `data` is where its folder is now, if it has moved.

        Raises: DataError naming the folder and the option when the data are gone or are not those of the runs.
        """
        shown: dict[str, RunScores] = {}
        for run in sorted(runs, key=lambda run: run.seed):
            if run.folder is not None and RunFolder(run.folder).record:
                shown.setdefault(run.label, run)
        if not shown:
            raise DataError(
                "no run here has a folder with predictions, so there is no picture of a case "
                "(`ubench report --no-cases` goes without)"
            )
        in_order = {run.label: shown[run.label] for run in runs if run.label in shown}
        first = next(iter(in_order.values()))
        assert first.folder is not None  # noqa: S101 - chosen so above
        hint = " (`ubench report --no-cases` goes without pictures)"
        return cls(open_dataset(RunFolder(first.folder), data, hint), in_order)

    def load(self, case: str) -> CasePicture:
        """Read one case; safe from several threads.

        Raises: DataError when image, reference or a prediction is missing or they lie on different grids.
        """
        prepared = self._store.prepare(case, self._dataset.image(case))
        reference, _ = read_reference(self._dataset, case, prepared.grid)
        masks = {
            label: self._prediction(folder, prepared)
            for label, folder in self._folders.items()
            if case in self._cases[label]
        }
        turn = prepared.placement.reorient
        reference, masks = turn(reference), {label: turn(mask) for label, mask in masks.items()}
        box = _box(prepared, [reference, *masks.values()])
        return CasePicture(
            case=case,
            image=_image(prepared, box),
            spacing_mm=prepared.spacing_mm,
            reference=np.ascontiguousarray(reference[box]),
            predictions={label: np.ascontiguousarray(mask[box]) for label, mask in masks.items()},
            start=(box[0].start, box[1].start, box[2].start),
        )

    def _prediction(self, folder: RunFolder, prepared: PreparedCase) -> Mask:
        """Read a prediction (X, Y, Z) in file order; raises DataError for one that was made from another image."""
        refuse_other_image(folder, self._made[folder.path], self._dataset, prepared)
        return read_prediction(folder, prepared)


def read_prediction(run: RunFolder, prepared: PreparedCase) -> Mask:
    """Read a run's prediction (X, Y, Z) in file order; raises DataError for one on another grid than the image."""
    labels = read_labels(run.prediction(prepared.case_id))
    if difference := grid_difference(prepared.grid, labels):
        raise DataError(f"{labels.path} is not on the grid of {prepared.grid.path}: {difference}; run the method again")
    return labels.data > 0


def open_dataset(run: RunFolder, data: Path | None, hint: str = "") -> Dataset:
    """Open the data set of a run; `data` is where its folder is now, if it has moved.

    Raises: DataError naming the run and the remedy; `hint` follows it.
    """
    record = run.record
    options: dict[str, Any] = dict(record["settings"]["dataset_options"])
    remedy = f"give where its folder is now with --data DIR{hint}"
    if data is not None:
        options["data"] = str(data.expanduser().absolute())
    try:
        dataset = make_dataset(load_plugins().dataset(str(record["dataset"])), options)
    except DataError as error:
        raise DataError(f"{run.path}: the data of this run cannot be opened ({error}); {remedy}") from error
    if dataset.identity() != record["dataset_identity"]:
        raise DataError(
            f"{run.path}: the data set '{dataset.name}' with data {options.get('data')} is not the one of this run "
            f"(files or version differ); {remedy}"
        )
    return dataset


def _box(prepared: PreparedCase, masks: Sequence[Mask]) -> tuple[slice, slice, slice]:
    """Bound the brain and all masks on the reoriented grid, with a margin where the file has room."""
    placement = prepared.placement
    everything = np.zeros_like(masks[0])
    for mask in masks:
        everything |= mask
    slices: list[slice] = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        inside = np.flatnonzero(everything.any(axis=others)).tolist()
        first = min([placement.start[axis], *inside[:1]])
        last = max([placement.stop[axis] - 1, *inside[-1:]])
        margin = round(MARGIN_MM / prepared.spacing_mm[axis])
        slices.append(slice(max(0, first - margin), min(everything.shape[axis], last + 1 + margin)))
    return slices[0], slices[1], slices[2]


def _image(prepared: PreparedCase, box: tuple[slice, slice, slice]) -> Image:
    """Put the prepared image into the box, the rest as dark as the brain's darkest voxel."""
    volume, placement = prepared.volume(), prepared.placement
    darkest = float(volume.image[volume.brain].min())
    image = np.full([cut.stop - cut.start for cut in box], darkest, dtype=np.float32)
    inner = tuple(
        slice(start - cut.start, stop - cut.start)
        for cut, start, stop in zip(box, placement.start, placement.stop, strict=True)
    )
    image[inner] = np.where(volume.brain, volume.image, np.float32(darkest))
    return image
