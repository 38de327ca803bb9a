"""The black-box audit: a method runs twice on the same images, with other references; what it predicts must not change.

It needs no kernel and believes nobody: the two runs are processes of their own, and where the references lie is the
same both times, so a method that reads them by whatever way sees the difference.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unseg_bench.data.atomic import write_text
from unseg_bench.data.nifti import read_image, write_mask
from unseg_bench.data.splits import PARTS
from unseg_bench.errors import RunError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.run.folder import RunFolder, find_runs

IMAGES, HEALTHY, REFERENCES, SPLIT = "images", "healthy", "references", "split"
RANDOM_SHARE = 0.1
"""Of a random mask's voxels, so many are tumour."""
RunOnce = Callable[[Path, Path, Path], None]
"""Runs the method on the cohort in the first folder, with its runs in the second and its cache in the third."""


@dataclass(frozen=True, slots=True)
class BlackBox:
    """What came of it: `differing` are cases predicted otherwise with other references.

    `unstable` are those of them that also differ between two runs with the same references: the method draws chance
    from elsewhere than its seed, and nothing can be concluded from them.
    """

    supervision: str
    cases: tuple[str, ...]
    differing: tuple[str, ...]
    unstable: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether a method that declares no supervision keeps its word; one that declares some has given none."""
        return self.supervision != "none" or not self.differing


def audit_black_box(dataset: Dataset, folder: Path, run_once: RunOnce, seed: int = 0) -> BlackBox:
    """Copy the cohort into `folder`, run with its references and with random ones, compare bit by bit.

    Where something differs, a third run with the references as they were tells chance from a leak.
    Raises RunError when a run leaves no predictions.
    """
    data = folder / "data"
    _copy(dataset, data)
    true = _predictions(data, folder / "true", run_once)
    _replace_references(data, np.random.default_rng(seed))
    other = _predictions(data, folder / "random", run_once)
    masks = _masks(true)
    differing = _differing(masks, _masks(other))
    unstable: list[str] = []
    if differing:
        _copy(dataset, data)
        again = _masks(_predictions(data, folder / "again", run_once))
        unstable = [case_id for case_id in _differing(masks, again) if case_id in differing]
    return BlackBox(str(true.record["supervision"]), tuple(sorted(masks)), tuple(differing), tuple(unstable))


def _copy(dataset: Dataset, folder: Path) -> None:
    """Write images, references and the split into `folder`; the files' content is not looked at."""
    split = dataset.split()
    for case_id in split.case_ids:
        _copy_file(dataset.image(case_id).path, folder / IMAGES / f"{case_id}.nii.gz")
        reference = dataset.reference(case_id)
        if reference is None:
            raise RunError(f"data set '{dataset.name}' has no reference of {case_id}, so none can be replaced")
        _copy_file(reference.path, folder / REFERENCES / f"{case_id}.nii.gz")
    for case_id in dataset.healthy():
        _copy_file(dataset.image(case_id).path, folder / HEALTHY / f"{case_id}.nii.gz")
    for part in PARTS:
        write_text(folder / SPLIT / f"{part}.txt", "".join(f"{case_id}\n" for case_id in split.part(part)))


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _replace_references(folder: Path, rng: np.random.Generator) -> None:
    for reference in sorted((folder / REFERENCES).iterdir()):
        image = read_image(folder / IMAGES / reference.name)
        write_mask(reference, rng.random(image.shape) < RANDOM_SHARE, image)


def _predictions(data: Path, folder: Path, run_once: RunOnce) -> RunFolder:
    run_once(data, folder / "runs", folder / "cache")
    runs = find_runs(folder / "runs")
    if len(runs) != 1 or runs[0].record.get("failed_cases") or not _masks(runs[0]):
        raise RunError("the method did not segment every case, so there is nothing to compare; see the messages above")
    return runs[0]


def _masks(run: RunFolder) -> dict[str, bytes]:
    """Return the bytes of each case's prediction and of its alternatives, which are answers too."""
    cases = [file.name.removesuffix(".nii.gz") for file in (run.path / "predictions").glob("*.nii.gz")]
    files = {
        case: [run.prediction(case), *(run.alternative(name, case) for name in run.alternatives)] for case in cases
    }
    return {case: b"".join(file.read_bytes() for file in own if file.is_file()) for case, own in files.items()}


def _differing(first: dict[str, bytes], second: dict[str, bytes]) -> Sequence[str]:
    return sorted(case_id for case_id in first.keys() | second.keys() if first.get(case_id) != second.get(case_id))
