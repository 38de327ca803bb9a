"""sam-prompts in real runs: prompts from another run carry that run's label reads, and none of their own."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.silent import Silent
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.plugins.trial import tiny_case
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.plan import plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.run.session.seal import kernel_obstacle
from unseg_bench.run.settings import make_settings

CASES = ("case-1", "case-2")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed, name in enumerate(CASES):
        case = tiny_case(name, seed)
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        image = np.where(case.volume.brain, case.volume.image + 10, 0).astype(np.float32)
        for kind, array in (("flair", image), ("seg", case.reference.astype(np.uint8))):
            nib.Nifti1Image(array, np.diag([4.0, 4, 4, 1])).to_filename(folder / f"{kind}.nii.gz")
    return tmp_path / "data"


def run(data: Path, method: str, preset: str = "paper", sealed: str = "off", **options) -> RunFolder:
    values = {
        "methods": [method],
        "dataset": "folder",
        "dataset_options": {
            "data": str(data),
            "image": "*/flair.nii.gz",
            "reference": "*/seg.nii.gz",
            "split": "all-test",
        },
        "preset": preset,
        "set": options,
        "device": "cpu",
        "offline": True,
        "sealed": sealed,
    }
    [plan] = plan_runs(make_settings(values), load_plugins(), data.parent / "runs")
    return execute(plan, Silent())


@pytest.mark.slow
def test_prompts_from_another_run_are_as_label_free_as_that_run(data):
    free, told = run(data, "threshold"), run(data, "filled-box")
    from_free = run(data, "sam-prompts", "check", "auto", prompts_from=str(free.path)).record
    assert (from_free["supervision"], from_free["label_reads"]) == ("none", [])
    assert from_free["seal"]["mode"] == ("ledger" if kernel_obstacle() else "sealed")
    from_told = run(data, "sam-prompts", "check", prompts_from=str(told.path)).record
    assert from_told["supervision"] == "none"
    assert {read["case"] for read in from_told["label_reads"]} == set(CASES)


@pytest.mark.slow
def test_ledger_tells_slice_choice_and_prompts_apart(data):
    for slices, purposes in {"tumour": {"slice choice", "prompts"}, "all": {"prompts"}}.items():
        reads = run(data, "sam-prompts", "check", slices=slices).record["label_reads"]
        assert {read["purpose"] for read in reads} == purposes
        assert len(reads) == len(CASES) * len(purposes)
