"""The numbers belong to the data: another image is another run, and a prediction is kept for its image alone."""

import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.robustness.conftest import Ubench
from unseg_bench.data.paths import cache_dir
from unseg_bench.run import runner
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.made import made_in

CASES = ("case-0", "case-1", "case-2", "case-3", "case-4")


@pytest.fixture
def options() -> list[str]:
    """The patterns of the cohort, with all five cases to segment and none to learn from; --data is left open."""
    return ["--sealed", "off", "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz", "--split", "all-test"]


@pytest.fixture
def other(cohort: Path) -> Path:
    """Another cohort with the same ids: each image and reference is the next case's."""
    folder = cohort.with_name("other")
    for case, source in zip(CASES, (*CASES[1:], CASES[0]), strict=True):
        shutil.copytree(cohort / source, folder / case)
    return folder


def brighten(path: Path) -> None:
    """Correct an image in place: the same grid, other values, the same times."""
    status, image = path.stat(), nib.load(path)
    values = np.asarray(image.dataobj)
    nib.Nifti1Image(np.where(values > np.median(values[values > 0]), values * 3, values), image.affine).to_filename(
        path
    )
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def run(ubench: Ubench, options: list[str], data: Path, *more: str):
    """Run `threshold`; returns its folder, what it says of itself, and stderr."""
    done = ubench("run", "threshold", "--data", data, *options, "--json", *more)
    (facts,) = done.json["runs"]
    return Path(facts["run"]), facts, done.err


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("predictions/*")}


def test_another_folder_with_the_same_ids_is_another_run(ubench, cohort, other, options):
    one, first, _ = run(ubench, options, cohort)
    two, second, _ = run(ubench, options, other)
    assert one != two
    _, alone, _ = run(ubench, options, other, "--runs", "alone")
    assert second["dsc"] == alone["dsc"]
    again, facts, said = run(ubench, options, cohort)
    assert (again, facts["dsc"]) == (one, first["dsc"])
    assert "complete already" in said
    copy = shutil.copytree(cohort, cohort.with_name("copy"))
    assert run(ubench, options, copy)[0] == one


def test_an_image_corrected_in_place_is_another_run(ubench, cohort, options):
    one, _, _ = run(ubench, options, cohort)
    brighten(cohort / "case-2" / "flair.nii.gz")
    two, facts, said = run(ubench, options, cohort)
    assert one != two
    assert "complete already" not in said
    assert facts["dsc"] == run(ubench, options, cohort, "--runs", "alone")[1]["dsc"]


def test_two_images_that_change_places_are_another_run(ubench, cohort, options):
    one, _, _ = run(ubench, options, cohort)
    first, second = (cohort / name / "flair.nii.gz" for name in ("case-0", "case-1"))
    first.rename(cohort / "aside")
    second.rename(first)
    (cohort / "aside").rename(second)
    assert run(ubench, options, cohort)[0] != one


def test_a_partial_run_takes_over_nothing_of_other_images(ubench, cohort, other, options):
    (cohort / "case-3" / "flair.nii.gz").write_bytes(b"broken")
    _, partial, _ = run(ubench, options, cohort)
    assert partial["state"] == "partial"
    _, facts, _ = run(ubench, options, other)
    _, alone, _ = run(ubench, options, other, "--runs", "alone")
    assert (facts["state"], facts["dsc"], facts["hd95_mm"]) == ("complete", alone["dsc"], alone["hd95_mm"])


def test_a_partial_run_goes_on_where_only_the_failed_image_was_mended(ubench, cohort, options):
    whole = (cohort / "case-3" / "flair.nii.gz").read_bytes()
    (cohort / "case-3" / "flair.nii.gz").write_bytes(b"broken")
    one, _, _ = run(ubench, options, cohort)
    before = stamps(one)
    brighten(cohort / "case-1" / "flair.nii.gz")
    assert run(ubench, options, cohort)[0] != one
    shutil.rmtree(Path("runs"))
    one, _, _ = run(ubench, options, cohort)
    before = stamps(one)
    (cohort / "case-3" / "flair.nii.gz").write_bytes(whole)
    two, facts, _ = run(ubench, options, cohort)
    assert (two, facts["state"]) == (one, "complete")
    assert {name: stamp for name, stamp in stamps(one).items() if name in before} == before


def test_a_replaced_prediction_is_made_again(ubench, cohort, options):
    folder, facts, _ = run(ubench, options, cohort)
    masks = [folder / "predictions" / f"{case}.nii.gz" for case in CASES]
    before = {path.name: path.read_bytes() for path in masks}
    shutil.copy(masks[0], masks[3])
    _, again, said = run(ubench, options, cohort)
    assert "1 of 5 cases are segmented again, since their predictions are not those that it made (first case-3)" in said
    assert {path.name: path.read_bytes() for path in masks} == before
    assert again["dsc"] == facts["dsc"]


def test_a_prediction_of_which_nothing_is_known_is_made_again(ubench, cohort, options):
    """As after a kill between the two, or when lines were lost."""
    folder, _, _ = run(ubench, options, cohort)
    lines = (folder / "made.jsonl").read_text().splitlines()
    (folder / "made.jsonl").write_text("\n".join([*lines[:3], "[1]", lines[3][:40]]))
    _, facts, said = run(ubench, options, cohort)
    assert "2 of 5 cases are segmented again" in said
    assert facts["state"] == "complete"
    assert set(made_in(RunFolder(folder))) == set(CASES)


def test_an_image_that_changes_in_mid_run_fails_its_case_and_is_then_done_again(ubench, cohort, options, monkeypatch):
    original = runner.note_made

    def change(folder, image, prepared):
        original(folder, image, prepared)
        if prepared.case_id == "case-1":
            brighten(cohort / "case-3" / "flair.nii.gz")

    with monkeypatch.context() as patched:
        patched.setattr(runner, "note_made", change)
        one, facts, _ = run(ubench, options, cohort)
    assert list(facts["failed_cases"]) == ["case-3"]
    assert "has changed since the run began" in facts["failed_cases"]["case-3"]
    two, facts, _ = run(ubench, options, cohort)
    assert (two, facts["state"]) == (one, "complete")
    assert facts["dsc"] == run(ubench, options, cohort, "--runs", "alone")[1]["dsc"]


def test_images_that_change_between_plan_and_work_end_the_run(ubench, cohort, options, monkeypatch):
    original = runner.build_cohort

    def change(name, case_ids, **more):
        if name == "test":
            brighten(cohort / "case-3" / "flair.nii.gz")
        return original(name, case_ids, **more)

    monkeypatch.setattr(runner, "build_cohort", change)
    folder, facts, _ = run(ubench, options, cohort)
    assert "images of the part 'test' have changed since this call began" in facts["error"]
    assert stamps(folder) == {}


def test_the_references_that_a_method_reads_go_into_its_name(ubench, cohort, options):
    seg = cohort / "case-2" / "seg.nii.gz"
    names = []
    for _ in range(2):
        names.append(
            {
                facts["method"]: facts["run"]
                for facts in ubench("run", "threshold", "best-threshold", "--data", cohort, *options, "--json").json[
                    "runs"
                ]
            }
        )
        mask = nib.load(seg)
        nib.Nifti1Image(np.roll(np.asarray(mask.dataobj), 1, axis=0), mask.affine).to_filename(seg)
    assert names[0]["threshold"] == names[1]["threshold"]
    assert names[0]["best-threshold"] != names[1]["best-threshold"]


def test_images_made_on_demand_are_not_made_to_plan_and_kept_by_their_files(ubench):
    few = (
        "--sealed",
        "off",
        "--dataset-option",
        "train=0",
        "--dataset-option",
        "valid=0",
        "--dataset-option",
        "test=2",
        "--dataset-option",
        "healthy=0",
        "--dataset-option",
        "spacing_mm=4",
    )
    plan = ubench("run", "threshold", *few, "--dry-run", "--json")
    assert plan.code == 0, plan.err
    assert not (cache_dir() / "phantom").exists()
    done = ubench("run", "threshold", *few, "--json").json["runs"][0]
    assert done["run"] == plan.json["runs"][0]["run"]
    image = next((cache_dir() / "phantom").glob("*/images/phantom-0002.nii.gz"))
    whole = image.read_bytes()
    brighten(image)
    again = ubench("run", "threshold", *few)
    assert "1 of 2 cases are segmented again, since their images have changed (first phantom-0002)" in again.err
    image.write_bytes(whole)
    assert ubench("run", "threshold", *few, "--json").json["runs"][0]["dsc"] == done["dsc"]
    shutil.rmtree(cache_dir() / "phantom")
    assert "complete already" in ubench("run", "threshold", *few).err
    assert json.loads((Path(done["run"]) / "run.json").read_text())["content"].keys() == {"test"}
