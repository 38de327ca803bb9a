"""Predictions made elsewhere: a run like any other, or an error with its remedy and nothing else."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.silent import Silent
from unseg_bench.errors import DataError, RunError, SettingsError
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.folder import RunFolder, find_runs
from unseg_bench.run.ledger import label_free
from unseg_bench.run.settings import RunSettings
from unseg_bench.score import elsewhere
from unseg_bench.score.case import score_case
from unseg_bench.score.elsewhere import Elsewhere, score_elsewhere
from unseg_bench.score.table import read_scores

SHAPE = (20, 24, 22)
AFFINE = np.array([[0, -2.0, 0, 30], [0, 0, 1.5, -20], [-2.5, 0, 0, 40], [0, 0, 0, 1]])  # axes permuted and reversed
SPACING_MM = (2.5, 2.0, 1.5)
CASES = ("c-1", "c-2", "c-10")


def save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(array, affine).to_filename(path)
    return path


def ball(radius, centre=(9, 12, 11)):
    return sum((axis - at) ** 2 for axis, at in zip(np.mgrid[:20, :24, :22], centre, strict=True)) < radius**2


REFERENCES = {case: ball(3 + number) for number, case in enumerate(CASES)}
MASKS = {case: ball(4, (8 + number, 12, 10)) for number, case in enumerate(CASES)}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Three images with references; all of them are test cases."""
    folder = tmp_path_factory.mktemp("cohort")
    noise = np.random.default_rng(5)
    for case, reference in REFERENCES.items():
        image = np.where(ball(9), 100 + 10 * noise.standard_normal(SHAPE) + 90 * reference, 0)
        save(folder / "images" / f"{case}.nii.gz", image.astype(np.float32))
        save(folder / "masks" / f"{case}.nii.gz", reference.astype(np.uint8))
    return folder


@pytest.fixture
def predictions(tmp_path):
    """A folder with a good mask for each case."""
    for case, mask in MASKS.items():
        save(tmp_path / "made" / f"{case}.nii.gz", mask.astype(np.uint8))
    return tmp_path / "made"


@pytest.fixture
def score(cohort, predictions, tmp_path):
    """Score the folder (another one, other options) under the name 'theirs' into `tmp_path/runs`."""

    def call(folder=predictions, *, name="theirs", part="test", seed=0, split="all-test", **more):
        options = {
            "data": str(cohort),
            "image": "images/*.nii.gz",
            "reference": "masks/*.nii.gz",
            "split": split,
        }
        settings = RunSettings(methods=(name,), dataset="folder", dataset_options=options, part=part, seeds=(seed,))
        return score_elsewhere(Elsewhere(folder, name, **more), settings, load_plugins(), tmp_path / "runs", Silent())

    return call


def left_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def expected(masks=MASKS):
    return {case: score_case(mask, REFERENCES[case], SPACING_MM, case=case) for case, mask in masks.items()}


def test_a_folder_becomes_a_complete_run(score, predictions, tmp_path):
    scored = score(label_use="trained on 1000 masks")
    assert {one.case: one for one in scored.scores} == expected()
    assert [run.path for run in find_runs(tmp_path / "runs")] == [scored.run.path]
    assert read_scores(scored.run.scores) == scored.scores
    record = scored.run.record
    assert scored.run.path.name.startswith("theirs-seed0-")
    wanted = {
        "format": 1,
        "state": "complete",
        "method": "theirs",
        "made_elsewhere": True,
        "supervision": "unknown",
        "label_use": "trained on 1000 masks",
        "missing_cases": [],
        "label_reads": [],
        "evidence": True,
    }
    assert {name: record[name] for name in wanted} == wanted
    assert record["cases"] == sorted(CASES)
    assert record["source"]["folder"] == str(predictions)
    assert set(record["source"]["files"]) == set(CASES)
    assert label_free(record) == "unknown (made elsewhere)"


def test_the_record_has_what_a_run_made_here_has(score, cohort, tmp_path):
    from unseg_bench.run.plan import plan_runs
    from unseg_bench.run.runner import execute

    options = {"data": str(cohort), "image": "images/*.nii.gz", "reference": "masks/*.nii.gz", "split": "all-test"}
    settings = RunSettings(methods=("threshold",), dataset="folder", dataset_options=options)
    here = execute(plan_runs(settings, load_plugins(), tmp_path / "here")[0], Silent()).record
    there = score().run.record
    assert set(here) - set(there) == {
        "case_names",
        "seal",
        "ceiling",
        "look_below",
        "differs",
        "options",
        "device",
        "peak_memory",
    }
    same = ("dataset", "dataset_identity", "evidence", "split", "part", "cases", "versions", "machine")
    assert {name: here[name] for name in same} == {name: there[name] for name in same}
    assert here["images"]["test"] == there["images"]["test"]
    assert here["settings"]["dataset_options"] == there["settings"]["dataset_options"]


def test_written_masks_are_uint8_on_the_images_own_grid(score, predictions, cohort):
    near = AFFINE.copy()
    near[0, 3] += 5e-4
    save(predictions / "c-1.nii.gz", MASKS["c-1"].astype(np.float64) * 3, near)
    written = nib.load(score().run.prediction("c-1"))
    assert written.get_data_dtype() == np.uint8
    assert np.array_equal(written.affine, nib.load(cohort / "images" / "c-1.nii.gz").affine)
    assert np.array_equal(np.asarray(written.dataobj), MASKS["c-1"])


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_any_type_of_number_and_either_ending(score, tmp_path, kind, ending):
    for case, mask in MASKS.items():
        save(tmp_path / "other" / f"{case}{ending}", mask.astype(kind))
    assert {one.case: one for one in score(tmp_path / "other").scores} == expected()


def test_labels_say_what_is_tumour(score, tmp_path):
    for case, mask in MASKS.items():
        save(
            tmp_path / "multi" / f"{case}.nii.gz", (mask * 2 + ball(2, (4, 4, 4)) * 4 + ball(1, (1, 1, 1))).astype("i2")
        )
    everything = {one.case: one for one in score(tmp_path / "multi").scores}
    whole = {case: mask | ball(2, (4, 4, 4)) | ball(1, (1, 1, 1)) for case, mask in MASKS.items()}
    assert everything == expected(whole)
    assert {one.case: one for one in score(tmp_path / "multi", labels=(2,)).scores} == expected()
    with pytest.raises(DataError, match="--labels 3,9: no file holds any of these; the files hold 1,2,4"):
        score(tmp_path / "multi", labels=(3, 9))


def test_more_labels_than_tumours_have_are_not_guessed(score, predictions):
    atlas = np.clip(np.indices(SHAPE)[0] // 4, 0, 4).astype(np.uint8)
    save(predictions / "c-2.nii.gz", atlas)
    with pytest.raises(DataError, match=r"c-2\.nii\.gz: holds 5 different values, 1, 2, 3 and 1 more .*--labels 1,2,4"):
        score()
    masks = MASKS | {"c-2": (atlas == 1) | (atlas == 3)}
    assert {one.case: one for one in score(labels=(1, 3)).scores} == expected(masks)


def test_probabilities_need_a_threshold(score, tmp_path):
    for case, mask in MASKS.items():
        save(tmp_path / "soft" / f"{case}.nii.gz", np.where(mask, 0.8, 0.3).astype(np.float32))
    with pytest.raises(DataError, match=r"holds 0\.3, which is no label; .*--threshold 0\.5.*3 of 3 files"):
        score(tmp_path / "soft")
    assert {one.case: one for one in score(tmp_path / "soft", threshold=0.5).scores} == expected()
    with pytest.raises(SettingsError, match="give one of them"):
        score(tmp_path / "soft", threshold=0.5, labels=(1,))


def test_numbers_too_large_for_labels_and_no_numbers_at_all(score, predictions):
    save(predictions / "c-1.nii.gz", np.full(SHAPE, 1e12))
    with pytest.raises(DataError, match="holds 1e\\+12, which is no label"):
        score()
    save(predictions / "c-1.nii.gz", np.full(SHAPE, np.nan))
    with pytest.raises(DataError, match="NaN"):
        score()
    save(predictions / "c-1.nii.gz", np.zeros((*SHAPE, 2), np.uint8))
    with pytest.raises(DataError, match=r"2 channels.*save one of them alone"):
        score()


def flipped(path):
    image = nib.load(path)
    affine = image.affine @ np.array([[-1.0, 0, 0, SHAPE[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return np.asarray(image.dataobj)[::-1], affine


def cropped(path):
    image = nib.load(path).slicer[2:, 3:20, 1:]
    return np.asarray(image.dataobj), image.affine


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (flipped, "orientations differ"),
        (cropped, r"shapes are \(18, 17, 21\) and \(20, 24, 22\)"),
    ],
)
def test_another_grid_is_refused_and_the_advice_mends_it(score, predictions, cohort, spoil, said):
    from nilearn.image import resample_to_img

    before = score(name="before").scores
    file = predictions / "c-10.nii.gz"
    save(file, *spoil(file))
    with pytest.raises(DataError, match=rf"c-10\.nii\.gz is not on the grid of its image .*: {said}") as refused:
        score()
    assert "1 of 3 files" in str(refused.value)
    advice = re.search(r"resample_to_img\(FILE, IMAGE, (interpolation='nearest')\)", str(refused.value))
    assert advice is not None
    image = cohort / "images" / "c-10.nii.gz"
    mended = resample_to_img(file, image, interpolation="nearest", force_resample=True, copy_header=True)
    mended.to_filename(file)
    assert score().scores == before


def test_a_lost_header_is_refused_in_words(score, predictions):
    for number, affine in enumerate([np.eye(4), AFFINE + 0.01 * np.eye(4, k=3)]):
        save(predictions / "c-1.nii.gz", MASKS["c-1"].astype(np.uint8), affine)
        with pytest.raises(DataError, match="save it again with the image's affine") as refused:
            score()
        assert ("voxel sizes are (1, 1, 1) and (2.5, 2, 1.5)", "origins are (30.01, ")[number] in str(refused.value)


def test_cases_without_a_file(score, predictions, tmp_path):
    (predictions / "c-10.nii.gz").rename(predictions / "c10.nii.gz")
    with pytest.raises(DataError, match=r"1 of 3 cases of the part 'test' have no file: c-10") as refused:
        score()
    assert "Files that fit no case: c10.nii.gz" in str(refused.value)
    assert "--pattern" in str(refused.value)
    assert "--allow-missing" in str(refused.value)
    scored = score(allow_missing=True)
    assert scored.run.record["missing_cases"] == ["c-10"]
    (lacking,) = (score_case(np.zeros_like(REFERENCES[case]), REFERENCES[case], SPACING_MM) for case in ("c-10",))
    facts = {"tumour_ml": lacking.tumour_ml, "diagonal_mm": lacking.diagonal_mm}
    assert scored.run.record["unscored"] == {"c-10": pytest.approx(facts)}
    assert scored.run.record["cases"] == ["c-1", "c-2"] == [one.case for one in scored.scores]
    empty = save(tmp_path / "none" / "x.nii.gz", MASKS["c-1"].astype(np.uint8)).parent
    with pytest.raises(DataError, match="3 of 3 cases") as refused:
        score(empty, allow_missing=True)
    assert "--allow-missing" not in str(refused.value)


def test_the_same_files_again_are_known_and_others_are_another_run(score, predictions):
    first = score()
    stamps = {
        path: path.stat().st_mtime_ns for path in left_in(first.run.path) if path.name not in {"run.lock", "run.json"}
    }
    again = score()
    assert (first.known, again.known) == (False, True)
    assert again.scores == first.scores
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert score(label_use="none, they say").run.record["label_use"] == "none, they say"
    assert score(seed=1).run.path != first.run.path
    save(predictions / "c-1.nii.gz", MASKS["c-2"].astype(np.uint8))
    other = score()
    assert not other.known
    assert other.run.path != first.run.path


def test_a_run_by_other_rules_is_scored_again(score):
    first = score()
    first.run.update({"scoring_rules": {"hd95": "of old"}})
    first.run.scores.write_text("case\n")
    assert score().scores == first.scores
    assert first.run.record["scoring_rules"]["hd95"] == "pooled"


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "two words", "x" * 65, "a..b", "x\n"])
def test_names_that_are_no_file_names(score, name):
    with pytest.raises(SettingsError, match="cannot be used as a file name"):
        score(name=name)


@pytest.mark.parametrize("name", ["threshold", "CLISC", "mine"])
def test_names_of_methods_that_run_here(score, tmp_path, name):
    RunFolder(tmp_path / "runs" / "folder" / "mine-seed0").update(
        {"state": "failed", "method": "mine", "preset": "", "seed": 0, "dataset": "folder", "evidence": True}
        | {"split": "s", "part": "test", "cases": [], "settings": {}, "started": "2026-01-01T00:00:00+00:00"}
    )
    with pytest.raises(SettingsError, match=f"--as {name}: a method that runs here has this name"):
        score(name=name)


@pytest.mark.parametrize("error", [KeyboardInterrupt("stop"), RunError("stop")], ids=["ctrl-c", "error"])
def test_nothing_half_is_left(score, tmp_path, monkeypatch, error):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(elsewhere, "score_predictions", stop)
    with pytest.raises(type(error), match="stop"):
        score()
    assert list((tmp_path / "runs" / "folder").iterdir()) == []


def test_a_bad_file_leaves_nothing_either(score, predictions, tmp_path):
    (predictions / "c-2.nii.gz").write_bytes((predictions / "c-2.nii.gz").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"c-2\.nii\.gz: .*cut short"):
        score()
    assert left_in(tmp_path / "runs") == []


def test_whoever_comes_second_takes_the_firsts_run(score, monkeypatch, tmp_path):
    """Another process finishes the same run while this one scores."""
    real = elsewhere.score_predictions
    nested: list[Path] = []

    def slow(*arguments, **options):
        if not nested:
            nested.append(tmp_path)
            nested[0] = score().run.path
        return real(*arguments, **options)

    monkeypatch.setattr(elsewhere, "score_predictions", slow)
    assert score().run.path == nested[0]
    assert [run.path for run in find_runs(tmp_path / "runs")] == nested
    assert json.loads((nested[0] / "run.json").read_text())["state"] == "complete"


def test_a_folder_in_the_way_is_named(score, tmp_path):
    run = score().run
    (run.path / "run.json").unlink()
    with pytest.raises(RunError, match="holds no complete run; remove it"):
        score()


def test_cases_without_a_reference_cannot_be_scored(score, cohort, tmp_path, predictions):
    settings = RunSettings(
        methods=("theirs",),
        dataset="folder",
        dataset_options={"data": str(cohort), "image": "images/*.nii.gz", "split": "all-test"},
    )
    with pytest.raises(DataError, match="has no reference mask for any of these cases"):
        score_elsewhere(Elsewhere(predictions, "theirs"), settings, load_plugins(), tmp_path / "runs", Silent())
    with pytest.raises(DataError, match="the part 'train' of its split has no cases"):
        score(part="train")
