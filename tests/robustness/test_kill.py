"""kill -9 at random moments of a whole CLISC run, scoring included: the next call finishes it, bit for bit the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.plugins.trial import tiny_case

DRIVER = Path(__file__).with_name("kill_driver.py")
KILLS = 32


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """Five small cases of about 31 x 37 x 29 voxels of 4 mm, image and reference side by side."""
    folder = tmp_path / "heads"
    folder.mkdir()
    for number in range(5):
        case = tiny_case(f"head-{number}", number)
        flair = np.where(case.volume.brain, case.volume.image + 10, 0).astype(np.float32)  # brighter than outside
        for what, array in (("flair", flair), ("seg", case.reference.astype(np.uint8))):
            nib.Nifti1Image(array, np.diag([-4.0, -4, 4, 1])).to_filename(folder / f"head-{number}_{what}.nii.gz")
    return folder


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_an_undisturbed_one(heads: Path, tmp_path: Path) -> None:
    command = [
        *("run", "clisc", "--preset", "check", "--device", "cpu", "--offline", "--split", "3:0:2"),
        *("--data", str(heads), "--image", "{case}_flair.nii.gz", "--reference", "{case}_seg.nii.gz"),
        *("--set", "unet.steps=6", "--set", "classifier.epochs=1"),
    ]
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), "20250101", str(KILLS), json.dumps(command)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    quiet = seen["quiet"]
    assert seen["kills"] >= 30
    assert len(quiet["files"]) == 3
    assert (quiet["code"], quiet["state"], quiet["label_reads"]) == (0, "complete", [])
    for outcome in seen["rounds"]:
        assert outcome == quiet
