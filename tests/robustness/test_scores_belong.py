"""A score belongs to its prediction and its reference: what is changed afterwards is noticed, and scored again."""

import csv
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.robustness.conftest import Ubench
from unseg_bench.run.folder import RunFolder
from unseg_bench.score.intact import check_files
from unseg_bench.score.table import DIGESTS, read_scores

PATTERNS = ("--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz", "--split", "all-test")


@pytest.fixture
def shifted(cohort: Path) -> Path:
    """The same images, with each reference moved by two voxels: as large as it was."""
    folder = Path(shutil.copytree(cohort, cohort.with_name("shifted")))
    for path in folder.glob("*/seg.nii.gz"):
        move(path)
    return folder


@pytest.fixture
def foreign(cohort: Path) -> Path:
    """Masks made elsewhere: the references themselves."""
    folder = cohort.with_name("foreign")
    folder.mkdir()
    for path in cohort.glob("*/seg.nii.gz"):
        shutil.copy(path, folder / f"{path.parent.name}.nii.gz")
    return folder


def move(path: Path) -> None:
    """Move a mask by two voxels, and keep the file's times."""
    status, mask = path.stat(), nib.load(path)
    nib.Nifti1Image(np.roll(np.asarray(mask.dataobj), 2, axis=0), mask.affine).to_filename(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def run(ubench: Ubench, data: Path, *methods: str, more: tuple[str, ...] = ()):
    """Run methods, `threshold` by default; returns what the first says of itself, and stderr."""
    done = ubench("run", *(methods or ("threshold",)), "--sealed", "off", "--data", data, *PATTERNS, *more, "--json")
    assert done.code == 0, done.err
    return done.json["runs"][0], done.err


def score(ubench: Ubench, folder: Path, data: Path, *more: object):
    done = ubench("score", folder, "--as", "theirs", "--data", data, *PATTERNS, "--json", *more)
    assert done.code == 0, done.err
    return done.json, done.err


def test_scores_carry_the_digests_of_what_they_were_made_from(ubench, cohort):
    facts, _ = run(ubench, cohort)
    folder = RunFolder(Path(facts["run"]))
    scores = read_scores(folder.scores)
    assert all(getattr(one, name) for one in scores for name in DIGESTS)
    found = check_files(folder, scores)
    assert (found.wrong, found.unknown) == ((), ())
    with folder.scores.open(newline="") as file:
        assert [row["prediction_sha256"] for row in csv.DictReader(file)] == [s.prediction_sha256 for s in scores]


def test_corrected_references_are_scored_again(ubench, cohort):
    first, _ = run(ubench, cohort)
    move(cohort / "case-2" / "seg.nii.gz")
    second, said = run(ubench, cohort)
    assert "scored again, since there is another reference than was scored: 1 case (case-2)" in said
    assert second["run"] == first["run"]
    assert second["dsc"] == run(ubench, cohort, more=("--runs", "alone"))[0]["dsc"] != first["dsc"]


def test_runs_that_saw_other_images_say_so(ubench, cohort):
    run(ubench, cohort)
    status, image = (path := cohort / "case-2" / "flair.nii.gz").stat(), nib.load(cohort / "case-2" / "flair.nii.gz")
    changed = np.asarray(image.dataobj).copy()
    changed[changed > np.median(changed)] *= 1.5
    nib.Nifti1Image(changed, image.affine).to_filename(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    run(ubench, cohort, "whole-brain")
    said = " ".join(ubench("compare").out.split())
    assert "were made from different images of 1 case (case-2); run both again on the same images" in said
    run(ubench, cohort)
    assert "different images" not in ubench("compare").out


def test_a_copy_with_other_references_is_scored_against_those(ubench, cohort, shifted):
    first, _ = run(ubench, cohort)
    second, said = run(ubench, shifted)
    assert "5 cases (case-0, case-1, case-2 and 2 more)" in said
    assert second["dsc"] == run(ubench, shifted, more=("--runs", "alone"))[0]["dsc"] != first["dsc"]
    assert run(ubench, cohort)[0]["dsc"] == first["dsc"]


def edited(folder: Path) -> None:
    """Raise one score by hand: a file of the same size with the same times."""
    path = folder / "scores.csv"
    status, text = path.stat(), path.read_text()
    dsc = text.splitlines()[1].split(",")[3]
    path.write_text(text.replace(dsc, dsc[:-1] + ("1" if dsc[-1] != "1" else "2"), 1))
    assert path.stat().st_size == status.st_size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def prediction_replaced(folder: Path) -> None:
    shutil.copy(folder / "predictions" / "case-0.nii.gz", folder / "predictions" / "case-1.nii.gz")


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        (edited, "scores.csv is not the file that was written when the run was scored"),
        (prediction_replaced, "another prediction than was scored: 1 case (case-1)"),
        (lambda _: move(Path("../cohort/case-3/seg.nii.gz")), "another reference than was scored: 1 case (case-3)"),
    ],
    ids=["edited", "prediction", "reference"],
)
def test_every_command_that_shows_scores_says_that_they_do_not_hold(ubench, cohort, change, doubt):
    facts, _ = run(ubench, cohort, "threshold", "empty")
    folder = Path(facts["run"])
    change(folder)
    remedy = "the same `ubench run` or `ubench score` command scores again"
    for call in (("compare",), ("cases", folder), ("show", folder), ("audit", folder)):
        shown = ubench(*call)
        assert shown.code == 0, shown.err
        text = " ".join((shown.out + shown.err).split())
        assert doubt in text, call
        assert remedy in text, call
    assert doubt in " ".join(ubench("compare", "--json").json["notes"])
    assert doubt in ubench("show", folder, "--json").json["file_doubts"][0]
    again, _ = run(ubench, cohort, "threshold", "empty")
    assert again["dsc"] == run(ubench, cohort, more=("--runs", "alone"))[0]["dsc"]
    assert doubt not in " ".join(ubench("compare").out.split())


def test_runs_scored_against_other_references_are_not_compared(ubench, cohort, shifted):
    run(ubench, cohort)
    run(ubench, shifted, "best-threshold")
    refused = ubench("compare")
    assert refused.code == 2
    assert "case case-0: " in refused.err
    assert "threshold (seed 0)" in refused.err
    assert (
        "were scored against different reference masks of the same volume; score both against the same" in refused.err
    )


def test_the_same_mask_in_another_file_is_the_same_reference(ubench, cohort):
    """Packed otherwise: another file, the same voxels."""
    run(ubench, cohort)
    packed = Path(shutil.copytree(cohort, cohort.with_name("packed")))
    for path in packed.glob("*/seg.nii.gz"):
        mask = nib.load(path)
        nib.Nifti1Image(np.asarray(mask.dataobj).astype(np.int16), mask.affine).to_filename(path)
    run(ubench, packed, "empty")
    assert ubench("compare").code == 0


def test_a_foreign_score_is_known_by_images_and_references_too(ubench, cohort, shifted, foreign):
    first, _ = score(ubench, foreign, cohort)
    second, _ = score(ubench, foreign, shifted)
    assert (first["dsc"], first["scored_before"]) == (1.0, False)
    assert second["dsc"] < 0.9
    assert second["run"] != first["run"]
    move(cohort / "case-0" / "seg.nii.gz")
    third, _ = score(ubench, foreign, cohort)
    assert third["dsc"] < 1.0
    assert third["run"] not in {first["run"], second["run"]}


def test_what_was_scored_last_is_what_is_shown(ubench, cohort, foreign):
    other = Path(shutil.copytree(foreign, foreign.with_name("second")))
    for path in other.iterdir():
        move(path)
    for folder in (foreign, other, foreign):
        last, _ = score(ubench, folder, cohort)
        (row,) = ubench("compare", "--json").json["rows"]
        assert (row["seeds"], row["cells"]["dsc"]["mean"]) == ([0], last["dsc"])
    both = ubench("compare", *Path("runs/folder").iterdir())
    assert both.code == 2
    assert "is given twice" in both.err


def test_what_was_run_last_is_what_is_shown(ubench, cohort):
    other = Path(shutil.copytree(cohort, cohort.with_name("other")))
    move(other / "case-1" / "flair.nii.gz")
    for data in (cohort, other, cohort):
        facts, _ = run(ubench, data)
        assert ubench("cases", "threshold", "--json").json["run"] == facts["run"]


def test_foreign_masks_that_were_replaced_in_the_run_are_taken_over_again(ubench, cohort, foreign):
    first, _ = score(ubench, foreign, cohort)
    prediction_replaced(Path(first["run"]))
    again, said = score(ubench, foreign, cohort)
    assert "the masks of case-1 in" in said
    assert (again["run"], again["dsc"], again["scored_before"]) == (first["run"], 1.0, False)
    assert [path.name for path in Path("runs/folder").iterdir()] == [Path(first["run"]).name]


def without_digests(folder: Path) -> None:
    """Make of a run one of an earlier version."""
    rows = [line.split(",") for line in (folder / "scores.csv").read_text().splitlines()]
    (folder / "scores.csv").write_text("".join(",".join(row[: -len(DIGESTS)]) + "\n" for row in rows))
    for name in ("scored.json", "made.jsonl"):
        (folder / name).unlink()


def test_a_run_of_an_earlier_version_is_shown_with_a_note_and_scored_again(ubench, cohort, foreign):
    first, _ = score(ubench, foreign, cohort)
    run(ubench, cohort)
    for folder in Path("runs/folder").iterdir():
        without_digests(folder)
    for call in (("compare",), ("cases", "theirs"), ("show", "theirs"), ("audit", first["run"]), ("runs",)):
        shown = ubench(*call)
        assert shown.code == 0, shown.err
        if call != ("runs",):
            assert "by an earlier version, which kept no digest" in " ".join((shown.out + shown.err).split()), call
    again, _ = score(ubench, foreign, cohort)
    assert again["dsc"] == first["dsc"]
    assert "earlier version" not in ubench("cases", "theirs").err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"references": 3}', '{"references": {"case-0": "\\u0000"}}', "\x00"])
def test_a_damaged_note_beside_the_scores_costs_no_command(ubench, cohort, text):
    facts, _ = run(ubench, cohort)
    (Path(facts["run"]) / "scored.json").write_text(text)
    shown = ubench("compare")
    assert shown.code == 0, shown.err
    assert "scores.csv is not the file" in " ".join(shown.out.split())


def test_an_untidy_end_leaves_nothing_that_counts(ubench, cohort):
    facts, _ = run(ubench, cohort)
    before = ubench("audit", facts["run"], "--json").json["digests"]["predictions"]
    predictions = Path(facts["run"]) / "predictions"
    shutil.copy(predictions / "case-0.nii.gz", predictions / ".case-0.nii.gz.k3x.part.nii.gz")
    assert ubench("audit", facts["run"], "--json").json["digests"]["predictions"] == before
