"""What is hardly meant is said beside the numbers: labels not counted, thresholds beside the values, full masks."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.cli.conftest import Ubench

FOLDER = ("--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz", "--split", "all-test")


def rewrite(path: Path, how, to: Path | None = None) -> None:
    image = nib.load(path)
    (to or path).parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(how(np.asarray(image.dataobj)), image.affine), to or path)


def predictions(cohort: Path, folder: Path, how) -> Path:
    for case in cohort.iterdir():
        rewrite(case / "seg.nii.gz", how, folder / f"{case.name}.nii.gz")
    return folder


def in_parts(labels: np.ndarray) -> np.ndarray:
    """Half of the tumour is 3, the rest 1."""
    lower = np.indices(labels.shape)[2] < 10
    return np.where(labels > 0, np.where(lower, 3, 1), 0).astype(np.uint8)


@pytest.fixture
def parts(cohort: Path) -> Path:
    """The cohort with references of labels 1 and 3."""
    for case in cohort.iterdir():
        rewrite(case / "seg.nii.gz", in_parts)
    return cohort


def test_labels_that_are_met_and_not_counted_are_said(ubench: Ubench, parts: Path, tmp_path: Path) -> None:
    told = "the references also hold 3, which does not count as tumour"
    data = ("--data", parts, *FOLDER, "--tumour-labels", "1,2,4")
    checked = ubench("data", "check", "folder", *data)
    assert checked.code == 0
    assert f"{told}: 5 cases, case-0, case-1, case-2 and 2 more" in " ".join(checked.out.split())
    for _ in range(2):  # also when all was done before
        done = ubench("run", "threshold", *data)
        assert f"Warning: threshold (paper), seed 0: {told}\n" in done.err
    made = predictions(parts, tmp_path / "made", lambda labels: labels)
    scored = ubench("score", made, "--as", "whole", *data)
    assert told in " ".join(scored.err.split())
    by_labels = ubench("score", made, "--as", "some", "--labels", "1,2,4", "--data", parts, *FOLDER, "--json")
    assert by_labels.json["remarks"] == ["--labels 1,2,4: the files also hold 3, which does not count as tumour"]
    silent = ubench("score", made, "--as", "all", "--data", parts, *FOLDER, "--json")
    assert silent.json["remarks"] == []
    assert silent.json["dsc"] == 1


def test_more_labels_than_a_tumour_has_are_noted(ubench: Ubench, cohort: Path) -> None:
    rewrite(
        cohort / "case-4/seg.nii.gz", lambda labels: labels * (1 + np.indices(labels.shape)[2] % 4).astype(np.uint8)
    )
    assert "every value above 0 counts as tumour" in ubench("data", "check", "folder", "--data", cohort, *FOLDER).out


def test_a_negative_label_of_a_prediction_is_refused(ubench: Ubench, cohort: Path, tmp_path: Path) -> None:
    made = predictions(cohort, tmp_path / "made", lambda labels: -labels.astype(np.int8))
    refused = ubench("score", made, "--as", "wrapped", "--data", cohort, *FOLDER)
    assert refused.code == 2
    assert "case-0.nii.gz: has the label -1; labels are 0 for background and above" in refused.err


@pytest.mark.parametrize(
    ("threshold", "high", "told"),
    [
        (50, 1, "--threshold 50: the files hold 0 to 1, so every voxel is on one side of it"),
        (-2, 1, "--threshold -2: the files hold 0 to 1, so every voxel is on one side of it"),
        (0.5, 200, "--threshold 0.5: the files hold 0 to 200; are these probabilities of 0 to 200?"),
        (0.5, 1, None),
        (100, 200, None),
    ],
)
def test_a_threshold_beside_the_values_is_told(ubench: Ubench, cohort, tmp_path, threshold, high, told) -> None:
    made = predictions(cohort, tmp_path / "made", lambda labels: (labels * high).astype(np.float32))
    scored = ubench("score", made, "--as", "x", "--threshold", threshold, "--data", cohort, *FOLDER, "--json")
    assert scored.code == 0
    own = [remark for remark in scored.json["remarks"] if remark.startswith("--threshold")]
    assert own == ([told] if told else [])
    assert (told or "") in " ".join(scored.err.split())


def test_masks_that_are_all_empty_or_all_tumour_are_told(ubench: Ubench, cohort: Path, tmp_path: Path) -> None:
    full = predictions(cohort, tmp_path / "full", np.ones_like)
    scored = ubench("score", full, "--as", "full", "--data", cohort, *FOLDER, "--json")
    told = "the prediction fills the whole grid: 5 cases, case-0, case-1, case-2 and 2 more"
    assert scored.json["remarks"] == [told]
    assert all("full-prediction" in row for row in Path(scored.json["scores"]).read_text().splitlines()[1:])
    empty = predictions(cohort, tmp_path / "empty", np.zeros_like)
    scored = ubench("score", empty, "--as", "nothing", "--data", cohort, *FOLDER)
    assert "every prediction is empty (5 of 5)" in " ".join(scored.err.split())


def test_a_case_without_reference_is_predicted_not_scored_and_counted(ubench: Ubench, cohort: Path, tmp_path) -> None:
    kept = (cohort / "case-3/seg.nii.gz").read_bytes()
    made = predictions(cohort, tmp_path / "made", lambda labels: labels)
    (cohort / "case-3/seg.nii.gz").unlink()
    told = "no reference, so predicted and not scored: 1 case, case-3"
    done = ubench("run", "threshold", "--data", cohort, *FOLDER)
    assert done.code == 0
    assert told in done.err
    assert "5 (1 without reference)" in done.out
    (record,) = [json.loads(path.read_text()) for path in Path("runs").rglob("run.json")]
    assert (record["state"], record["without_reference"], record["failed_cases"]) == ("complete", ["case-3"], {})
    assert next(Path("runs").rglob("case-3.nii.gz")).is_file()
    scored = ubench("score", made, "--as", "theirs", "--data", cohort, *FOLDER, "--json")
    assert (scored.code, scored.json["cases"], scored.json["without_reference"]) == (0, 4, ["case-3"])
    (cohort / "case-3/seg.nii.gz").write_bytes(kept)
    again = ubench("run", "threshold", "--data", cohort, *FOLDER, "--json")
    assert again.json["runs"][0]["without_reference"] == []
    assert len(Path(again.json["runs"][0]["scores"]).read_text().splitlines()) == 6, "a reference that came is scored"


def test_remarks_stand_beside_failed_cases_without_references_too(ubench: Ubench, cohort: Path, tmp_path: Path) -> None:
    (cohort / "case-9").mkdir()
    (cohort / "case-9/flair.nii.gz").symlink_to(tmp_path / "nowhere")
    method = tmp_path / "once.py"
    method.write_text(
        "from unseg_bench import Method\n\n\n"
        "class Once(Method):\n"
        "    name = 'once'\n"
        "    failed = False\n\n"
        "    def segment(self, volume, context):\n"
        "        if not self.failed:\n"
        "            self.failed = True\n"
        "            raise ValueError('the first one fails')\n"
        "        return volume.brain.copy()\n"
    )
    images = ("--data", cohort, "--image", "*/flair.nii.gz", "--split", "all-test", "--allow-missing")
    done = ubench("run", method, *images)
    assert done.code == 1
    assert "Warning: once (default), seed 0: 1 image not there (case-9/flair.nii.gz)" in done.err
    assert "1 of 5 cases failed" in done.err


def test_a_pattern_may_begin_as_json_does(ubench: Ubench, cohort: Path) -> None:
    data = ("--data", cohort, *FOLDER)
    checked = ubench("data", "check", "folder", *data, "--dataset-option", "unlabelled={case}/flair.nii.gz")
    assert checked.code == 0
    assert "train: 5 cases" in checked.out
    no_list = ubench("data", "check", "folder", *data, "--dataset-option", "tumour_labels=[1,2")
    assert no_list.code == 2
    assert "option 'tumour_labels" in no_list.err
