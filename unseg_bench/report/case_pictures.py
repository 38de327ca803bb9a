"""The pictures of one case of a run: the slice, each step of its method, and what was predicted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unseg_bench.data.atomic import make_folder, whole_file
from unseg_bench.data.paths import cache_dir, check_case_id
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.volume import Volume
from unseg_bench.errors import DataError, SettingsError
from unseg_bench.plugins.explain import Explanation, Step
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.report.case_images import CasePicture, open_dataset, read_prediction
from unseg_bench.report.figures.example_panels import HeadSlice
from unseg_bench.report.figures.steps import SlicedStep, draw_step
from unseg_bench.report.figures.write import figure_bytes
from unseg_bench.run.made import made_in, refuse_other_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from unseg_bench.data.store import PreparedCase
    from unseg_bench.data.volume import Mask
    from unseg_bench.run.folder import RunFolder

_MOST_LETTERS = 40


@dataclass(frozen=True, slots=True, eq=False)
class CaseOfRun:
    """One case of a run's split, opened: its image, and its prediction (X, Y, Z) on the prepared grid, if any."""

    run: RunFolder
    prepared: PreparedCase
    prediction: Mask | None
    note: str

    @property
    def method(self) -> str:
        """Name of the run's method for people."""
        record = self.run.record
        how = "made elsewhere" if record.get("made_elsewhere") else str(record["preset"])
        return f"{record['method']} ({how}), seed {record['seed']}"


def open_case(run: RunFolder, case_id: str, data: Path | None) -> CaseOfRun:
    """Open a case of any part of the run's split; `data` is where its data folder is now, if it has moved.

    Raises DataError for an id that is none or unknown, and for data that are gone or are not those of the run.
    """
    check_case_id(case_id)
    dataset = open_dataset(run, data)
    known = dataset.split().case_ids
    if case_id not in known:
        raise DataError(f"--case {case_id}: no such case in the run's split.{did_you_mean(case_id, known[:20])}")
    prepared = PreparedStore(cache_dir() / "prepared").prepare(case_id, dataset.image(case_id))
    refuse_other_image(run, made_in(run), dataset, prepared)
    if not run.prediction(case_id).is_file():
        return CaseOfRun(run, prepared, None, "")
    whole = read_prediction(run, prepared)
    mask = np.ascontiguousarray(prepared.placement.take(whole))
    outside = int(whole.sum()) - int(mask.sum())
    note = f"; {outside} voxels of it lie outside the brain's box and are not shown" if outside else ""
    return CaseOfRun(run, prepared, mask, f"{int(mask.sum()) * prepared.volume().voxel_ml:.1f} ml{note}")


def write_pictures(
    case: CaseOfRun, explanation: Explanation | None, slice_index: int | None, folder: Path | None
) -> list[Path]:
    """Write 1-slice.png, a picture a step, and the prediction's; the same bytes each time. Returns the files.

    `slice_index`: axial slice of the image file, from 0 at its lowest; None: that with most voxels of the last step
    with a mask, else of the prediction, else the middle one. `folder`: None is pictures/<case> in the run's folder,
    where they replace those of an earlier call. Raises SettingsError for a slice outside the brain's box, DataError
    where the folder cannot be written.
    """
    pictures = _draw(case, explanation, slice_index)
    place = case.run.path / "pictures" / case.prepared.case_id if folder is None else folder
    try:
        make_folder(place)
        for earlier in place.glob("*.png") if folder is None else ():
            earlier.unlink()
        for name, content in pictures.items():
            with whole_file(place / name) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise DataError(f"{place}: cannot be written ({error.strerror}); choose another folder with --out") from None
    return [place / name for name in pictures]


def slug(title: str) -> str:
    """Return a title as part of a file name: small letters, digits and single hyphens; 'step' where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower())[:_MOST_LETTERS].strip("-") or "step"


def _draw(case: CaseOfRun, explanation: Explanation | None, slice_index: int | None) -> dict[str, bytes]:
    """Return the pictures by file name, in their order."""
    placement = case.prepared.placement
    height = _height(case, explanation, slice_index)
    warning = "" if case.run.record.get("evidence", True) else "; phantom: no evidence"
    where = f"case {case.prepared.case_id}, slice {int(height * placement.shape[2]) + placement.start[2]}"
    footer = f"{where}; {case.method}{warning}"
    pictures: dict[str, bytes] = {}
    for grid, steps in _by_grid(case, explanation):
        grey = _grey(grid)
        for step in steps:
            figure = draw_step(_cut(grid, grey, step, int(height * grid.shape[2]), footer))
            pictures[f"{len(pictures) + 1}-{slug(step.title)}.png"] = figure_bytes(figure, "png")
    return pictures


def _by_grid(case: CaseOfRun, explanation: Explanation | None) -> list[tuple[Volume, Sequence[Step]]]:
    """Return all that is drawn, in its order: the image, the method's steps on its grid, the prediction."""
    volume = case.prepared.volume()
    drawn: list[tuple[Volume, Sequence[Step]]] = [(volume, [Step("slice")])]
    if explanation is not None:
        drawn.append((explanation.volume, explanation.steps))
    if case.prediction is not None:
        drawn.append((volume, [Step("prediction", mask=case.prediction, note=case.note)]))
    return drawn


def _height(case: CaseOfRun, explanation: Explanation | None, slice_index: int | None) -> float:
    """Return the middle of the slice as a part of the brain's box, which every grid of the case covers."""
    depth, first = case.prepared.placement.shape[2], case.prepared.placement.start[2]
    if slice_index is not None:
        if not first <= slice_index < first + depth:
            raise SettingsError(
                f"--slice {slice_index}: the brain of this case is in slices {first} to {first + depth - 1}"
            )
        return (slice_index - first + 0.5) / depth
    steps: Sequence[Step] = explanation.steps if explanation else ()
    for mask in (*(step.mask for step in reversed(steps)), case.prediction):
        if mask is not None and (area := mask.sum(axis=(0, 1))).any():
            return (int(area.argmax()) + 0.5) / len(area)
    return (depth // 2 + 0.5) / depth


def _grey(volume: Volume) -> NDArray[np.uint8]:
    """Return the volume as grey levels, black outside the brain."""
    darkest = np.float32(volume.image[volume.brain].min() if volume.brain.any() else 0)
    image = np.where(volume.brain, volume.image, darkest)
    return CasePicture(volume.case_id, image, volume.spacing_mm, volume.empty_mask(), {}, (0, 0, 0)).grey()


def _cut(volume: Volume, grey: NDArray[np.uint8], step: Step, z: int, footer: str) -> SlicedStep:
    """Cut slice `z` out of a step."""
    mask = None if step.mask is None else step.mask[:, :, z]
    boxes, points = tuple(step.boxes.get(z, ())), tuple(step.points.get(z, ()))
    hidden = {
        "mask": step.mask is not None and mask is not None and step.mask.any() and not mask.any(),
        "boxes": not boxes and any(step.boxes.values()),
        "points": not points and any(step.points.values()),
    }
    elsewhere = " and ".join(name for name, is_hidden in hidden.items() if is_hidden)
    notes = [step.note, f"{elsewhere} in other slices only" if elsewhere else ""]
    return SlicedStep(
        title=step.title,
        head=HeadSlice(grey[:, :, z], volume.spacing_mm[:2], volume.empty_mask()[:, :, z], {}),
        footer=footer,
        heat=None if step.heat is None else step.heat[:, :, z],
        mask=mask,
        boxes=boxes,
        points=points,
        note="; ".join(note for note in notes if note),
    )
