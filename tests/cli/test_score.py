"""`ubench score`: masks made elsewhere, from a folder to a row of the table."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import nibabel as nib
import numpy as np
import pytest

from tests.cli.conftest import Result, Ubench

ErrorLine = Callable[[Result], str]


@pytest.fixture
def run(two_runs: Result) -> Path:
    """The run of `threshold`."""
    return Path(two_runs.json["runs"][1]["run"])


@pytest.fixture
def made(run: Path) -> Path:
    """The run's own predictions, as if somebody else had made them."""
    return Path(copytree(run / "predictions", "made"))


def test_a_runs_own_predictions_earn_the_very_same_scores(
    ubench: Ubench, run: Path, made: Path, data: list[str]
) -> None:
    scored = ubench("score", made, "--as", "copy", *data)
    assert scored.code == 0
    copy = next(Path("runs/folder").glob("copy-seed0-*"))
    assert (copy / "scores.csv").read_bytes() == (run / "scores.csv").read_bytes()
    for path in made.iterdir():
        assert (copy / "predictions" / path.name).read_bytes() == path.read_bytes()
    assert str(copy / "scores.csv") in scored.out
    assert "made elsewhere" in scored.out
    assert "ubench compare" in scored.out


def test_compare_shows_the_row_and_that_its_labels_are_unknown(ubench: Ubench, made: Path, data: list[str]) -> None:
    ubench("score", made, "--as", "copy", *data, "--label-use", "none at all")
    rows = {row["label"]: row for row in ubench("compare", "--json").json["rows"]}
    assert set(rows) == {"tiny", "threshold", "copy"}
    assert rows["copy"]["cells"]["dsc"]["mean"] == rows["threshold"]["cells"]["dsc"]["mean"]
    assert rows["copy"]["label_free"] == "unknown (made elsewhere)"
    table = " ".join(ubench("compare", "copy", "threshold").out.split())
    assert "unknown (made elsewhere)" in table
    assert "none at all" not in table
    shown = ubench("show", "copy").out
    assert "makers say  none at all" in shown
    assert "label-free  unknown (made elsewhere)" in shown
    assert f"2 masks of {made.resolve()}" in shown


def test_json_and_the_same_files_again(ubench: Ubench, made: Path, data: list[str]) -> None:
    (made / "readme.txt").write_text("ours")
    first = ubench("score", made, "--as", "copy", *data, "--json")
    assert first.json["cases"] == 2
    assert first.json["state"] == "complete"
    assert (first.json["missing"], first.json["left_out"], first.json["scored_before"]) == ([], [], False)
    again = ubench("score", made, "--as", "copy", *data, "--json")
    assert again.json == first.json | {"scored_before": True}
    assert "were scored under this name before" in again.err
    listed = [one for one in ubench("runs", "--json").json if one["method"] == "copy"]
    assert [(one["made_elsewhere"], one["dsc"]) for one in listed] == [(True, first.json["dsc"])]


def test_seeds_are_one_row(ubench: Ubench, made: Path, data: list[str]) -> None:
    for seed in (0, 1):
        assert ubench("score", made, "--as", "copy", *data, "--seed", seed).code == 0
    rows = ubench("compare", "copy", "--json").json["rows"]
    assert [(row["label"], row["seeds"]) for row in rows] == [("copy", [0, 1])]


def test_missing_cases_and_unknown_files(ubench: Ubench, made: Path, data: list[str], error_line: ErrorLine) -> None:
    first, second = sorted(made.iterdir())
    second.rename(made / "zebra.nii.gz")
    case = second.name.removesuffix(".nii.gz")
    refused = ubench("score", made, "--as", "copy", *data)
    assert f"1 of 2 cases of the part 'test' have no file: {case}. " in error_line(refused)
    assert "--allow-missing scores the others" in refused.err
    scored = ubench("score", made, "--as", "copy", *data, "--allow-missing")
    assert scored.code == 0
    assert f"missing: 1 case ({case})" in scored.err
    assert "left out: 1 file of no case (made/zebra.nii.gz)" in scored.err
    assert case in ubench("show", "copy").out
    assert f"missing  {case}" in ubench("cases", "copy").out
    assert f"copy (seed 0) lacks 1 of the cases of threshold (seed 0): {case}" in error_line(
        ubench("compare", "copy", "threshold")
    )
    worst = ubench("compare", "copy", "threshold", "--missing", "worst", "--json").json
    assert {row["label"]: row["cells"]["dsc"]["missing"] for row in worst["rows"]} == {"copy": 1, "threshold": 0}
    assert first.name.removesuffix(".nii.gz") in ubench("cases", "copy").out


def test_a_pattern_and_labels(ubench: Ubench, run: Path, made: Path, data: list[str], error_line: ErrorLine) -> None:
    for path in sorted(made.iterdir()):
        mask = nib.load(path)
        brats = np.asarray(mask.dataobj).astype(np.float32) * 4
        brats[0, 0, :] = 3
        nib.Nifti1Image(brats, mask.affine).to_filename(made / f"pred-{path.name}")
        path.unlink()
    assert "--pattern 'pred_*.nii.gz'" in error_line(ubench("score", made, "--as", "theirs", *data))
    words = ("score", made, "--as", "theirs", *data, "--pattern", "pred-*.nii.gz")
    theirs = ubench(*words, "--labels", "1,4", "--json").json
    assert Path(theirs["scores"]).read_bytes() == (run / "scores.csv").read_bytes()
    assert "labels [1, 4]" in ubench("show", "theirs").out
    assert "expected whole numbers above 0" in error_line(ubench(*words, "--labels", "1,x"))
    assert "no file holds any of these; the files hold 3,4" in ubench(*words, "--labels", "1").err


def test_bad_input_is_one_line(ubench: Ubench, made: Path, data: list[str], error_line: ErrorLine) -> None:
    assert "absent is not a folder" in error_line(ubench("score", "absent", "--as", "x", *data))
    assert "a method that runs here" in error_line(ubench("score", made, "--as", "threshold", *data))
    assert "--as" in error_line(ubench("score", made, *data))
    assert "give one of them" in error_line(
        ubench("score", made, "--as", "x", *data, "--labels", "1", "--threshold", 0.5)
    )
