"""The black-box audit: a method runs twice on the same images, with other references; what it predicts must not change.

It believes nobody: where the references lie is the same both times, so a method that reads them by whatever way sees
the difference.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unseg_bench.data.atomic import write_text
from unseg_bench.data.nifti import read_image, write_mask
from unseg_bench.data.paths import cache_at, cache_dir
from unseg_bench.data.splits import PARTS
from unseg_bench.errors import RunError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.manager import Plugins
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.plan import plan_runs
from unseg_bench.run.progress import Reporter
from unseg_bench.run.runner import execute
from unseg_bench.run.settings import make_settings

IMAGES, HEALTHY, REFERENCES, SPLIT = "images", "healthy", "references", "split"
RANDOM_SHARE = 0.1
"""Of a random mask's voxels, so many are tumour."""


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


def audit_black_box(
    method: str,
    preset: str | None,
    dataset: Dataset,
    plugins: Plugins,
    folder: Path,
    reporter: Reporter,
    *,
    seed: int = 0,
) -> BlackBox:
    """Copy the cohort into `folder`, run with its references and with random ones, compare bit by bit.

    Each run begins with an empty cache but for the weights, and works where any run of the method would.

    Where something differs, a third run with the references as they were tells chance from a leak.
    Raises RunError when a run leaves no predictions.
    """
    data = folder / "data"
    _copy(dataset, data)

    def run_in(name: str) -> RunFolder:
        return _run(method, preset, data, plugins, folder / name, reporter)

    true = run_in("true")
    _replace_references(data, np.random.default_rng(seed))
    other = run_in("random")
    masks = _masks(true)
    differing = _differing(masks, _masks(other))
    unstable: list[str] = []
    if differing:
        _copy(dataset, data)
        again = _masks(run_in("again"))
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


def _run(method: str, preset: str | None, data: Path, plugins: Plugins, folder: Path, reporter: Reporter) -> RunFolder:
    patterns = {"image": IMAGES, "reference": REFERENCES}
    if (data / HEALTHY).is_dir():
        patterns["healthy"] = HEALTHY
    options = {name: f"{kind}/*.nii.gz" for name, kind in patterns.items()}
    options |= {"data": str(data), "split": str(data / SPLIT)}
    weights, cache = cache_dir() / "weights", folder / "cache"
    weights.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True)
    (cache / "weights").symlink_to(weights.resolve(), target_is_directory=True)
    settings = {"methods": [method], "dataset": "folder", "dataset_options": options, "preset": preset}
    with cache_at(cache):
        (plan,) = plan_runs(make_settings(settings), plugins, folder / "runs")
        return execute(plan, reporter, strict=True)


def _masks(run: RunFolder) -> dict[str, bytes]:
    """Return the bytes of each case's prediction, its alternatives and its confidence, which are answers too."""
    cases = [file.name.removesuffix(".nii.gz") for file in (run.path / "predictions").glob("*.nii.gz")]
    files = {
        case: [run.prediction(case), *(run.alternative(name, case) for name in run.alternatives)] for case in cases
    }
    stated = {case: json.dumps(run.confidences.get(case)).encode() for case in cases}
    return {
        case: b"".join((*(file.read_bytes() for file in own if file.is_file()), stated[case]))
        for case, own in files.items()
    }


def _differing(first: dict[str, bytes], second: dict[str, bytes]) -> Sequence[str]:
    return sorted(case_id for case_id in first.keys() | second.keys() if first.get(case_id) != second.get(case_id))
