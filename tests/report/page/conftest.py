"""A small cohort on disk in RAS order with runs on it, the comparison of these runs, and one page of it all."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.compare.build import compare
from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.report.case_images import CaseImages
from unseg_bench.report.page import write_page
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.settings import make_dataset
from unseg_bench.score.case import score_case

SHAPE, SPACING_MM = (48, 56, 40), (1.5, 1.5, 1.0)
CASES = tuple(f"case-{number}" for number in range(6))
HOSTILE = """<img src=x onerror="alert(1)"></script><b>'&amp;"""
AFFINE = np.diag([*SPACING_MM, 1.0])


@dataclass(frozen=True)
class Made:
    """What the fixtures made: folders, masks in file order by case (and by (label, seed)), and the runs."""

    data: Path
    references: dict
    predictions: dict
    runs: list[RunScores]


def heads():
    """Six heads with a bright tumour each, left and in front, none of them symmetric in any way."""
    noise = np.random.default_rng(11)
    x, y, z = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    for number, case in enumerate(CASES):
        brain = ((x - 24) / 19) ** 2 + ((y - 28) / 23) ** 2 + ((z - 20) / 17) ** 2 < 1
        tumour = ((x - 14) ** 2 + (y - 38) ** 2 + (z - 17 - number) ** 2 < (3 + number) ** 2) & (x + z > 24) & brain
        image = np.where(brain, 100 + 8 * noise.standard_normal(SHAPE) + 90 * tumour, 0)
        yield case, image.astype(np.float32), tumour, brain


def predicted(tumour, brain):
    """Masks by (label, seed): shifted, too large with a stray piece, empty for all that is small."""
    return {
        ("good", 1): np.roll(tumour, 1, axis=0) & brain,
        ("good", 0): np.roll(tumour, (1, 2), axis=(0, 2)) & brain,
        (HOSTILE, 3): (np.roll(tumour, 3, axis=1) | np.roll(tumour, -12, axis=1)) & brain,
        ("empty", 0): tumour & (tumour.sum() > 600),
    }


def write_run(folder, label, seed, dataset, masks):
    """Write a complete run; its options hold what a page must escape."""
    run = RunFolder(folder / f"run-{len(list(folder.glob('*')))}")
    for case, mask in masks.items():
        path = run.prediction(case)
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.Nifti1Image(mask.astype(np.uint8), AFFINE).to_filename(path)
    reads = [{"case": "t-1", "kind": "mask", "purpose": f"train <{label}>", "when": "2025-01-02T03:04:05+00:00"}]
    run.update(
        {
            "state": "complete",
            "method": label,
            "seed": seed,
            "supervision": "none",
            "dataset": "folder",
            "dataset_identity": dataset.identity(),
            "settings": {
                "dataset_options": dataset.options.model_dump(mode="json"),
                "set": {"level": 0.5, "words": ["</script><script>alert(2)</script>"]},
                "device": "auto",
            },
            "versions": {"unseg-bench": "0.1.0"},
            "machine": {"cpus": 2},
            "device": {"name": "cuda:0", "model": "NVIDIA A100", "memory_bytes": 42_300_000_000, "driver": "570.86"},
            "peak_memory": {"process": 3_000_000_000, "gpu": 9_100_000_000},
            "images": {"test": "d1g357"},
            "label_reads": reads if label == "good" else [],
        }
    )
    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """The cohort and its runs; read-only for tests."""
    data, runs = tmp_path_factory.mktemp("cohort"), tmp_path_factory.mktemp("runs")
    references, predictions = {}, {}
    for case, image, tumour, brain in heads():
        (data / case).mkdir()
        nib.Nifti1Image(image, AFFINE).to_filename(data / case / "flair.nii.gz")
        nib.Nifti1Image(tumour.astype(np.uint8), AFFINE).to_filename(data / case / "seg.nii.gz")
        references[case] = tumour
        for key, mask in predicted(tumour, brain).items():
            predictions.setdefault(key, {})[case] = mask
    options = {"data": str(data), "image": "*/flair.nii.gz", "reference": "*/seg.nii.gz", "split": "all-test"}
    dataset = make_dataset(load_plugins().dataset("folder"), options)
    scored = []
    for (label, seed), masks in predictions.items():
        folder = write_run(runs, label, seed, dataset, masks)
        scores = [score_case(masks[case], references[case], SPACING_MM, case=case) for case in CASES]
        facts = {"method": label, "label_free": "yes", "dataset": "folder", "split": "all-test", "part": "test"}
        scored.append(RunScores(label=label, seed=seed, scores=scores, evidence=True, folder=folder.path, **facts))
    return Made(data, references, predictions, scored)


@pytest.fixture(scope="session")
def comparison(made) -> Comparison:
    """Two groups, quick statistics."""
    statistics = StatisticsSettings(resamples=199, bootstraps=50)
    return compare(made.runs, CompareSettings(groups=2, statistics=statistics))


@pytest.fixture(scope="session")
def page(made, comparison, tmp_path_factory) -> Path:
    """One page with all that a page can have."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UBENCH_CACHE", str(tmp_path_factory.mktemp("page-cache")))
        write_page(comparison, path, browser=CaseImages.of(made.runs), runs=made.runs)
    return path


@pytest.fixture
def moved():
    """Return a function: runs as if their data had been at another place."""

    def move(runs, folder, tmp_path):
        copies = []
        for number, run in enumerate(runs):
            copy = RunFolder(tmp_path / f"moved-{number}")
            record = run.folder / "run.json"
            copy.path.mkdir()
            text = record.read_text().replace(str(folder), "/gone/away")
            (copy.path / "run.json").write_text(text)
            shutil.copytree(run.folder / "predictions", copy.path / "predictions")
            copies.append(replace(run, folder=copy.path))
        return copies

    return move
