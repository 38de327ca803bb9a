"""A case that fails is written down and missed, in the run, its table, its exit code and every comparison."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.robustness.conftest import Result, Ubench
from unseg_bench.data.nifti import read_image
from unseg_bench.data.prepare import prepare
from unseg_bench.data.splits import split_by_ratio

CASES = ("case-0", "case-1", "case-2", "case-3", "case-4")


@pytest.fixture
def all_test(cohort: Path) -> list[str]:
    """The options that name the cohort, with all five cases to segment and none to learn from."""
    return [
        *("--data", str(cohort), "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz"),
        *("--split", "all-test"),
    ]


def errors(result: Result) -> list[str]:
    return [line for line in result.err.splitlines() if line.startswith("Error: ")]


def spoil_image(cohort: Path, case: str) -> bytes:
    """Cut a case's image short; returns what it was."""
    path = cohort / case / "flair.nii.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:2000])
    return whole


def spoil_reference(cohort: Path, case: str) -> bytes:
    """Put a case's reference on another grid; returns what it was."""
    path = cohort / case / "seg.nii.gz"
    whole = path.read_bytes()
    nib.Nifti1Image(np.ones((9, 9, 9), np.uint8), np.eye(4)).to_filename(path)
    return whole


@pytest.mark.parametrize(
    ("spoil", "file", "reason"),
    [(spoil_image, "flair.nii.gz", "DataError: .*cut short"), (spoil_reference, "seg.nii.gz", "DataError: .*grid")],
)
def test_a_bad_file_costs_its_own_case_and_mended_it_is_all_that_is_done_again(
    ubench: Ubench, cohort: Path, all_test: list[str], spoil, file: str, reason: str
) -> None:
    whole = spoil(cohort, "case-3")
    first = ubench("run", "threshold", *all_test, "--json")
    assert first.code == 1
    (run,) = first.json["runs"]
    assert (run["state"], run["cases"], list(run["failed_cases"])) == ("partial", 5, ["case-3"])
    assert 0 < run["dsc"] <= 1
    (line,) = errors(first)
    assert "1 of 5 cases failed, first case-3" in line
    assert str(cohort / "case-3" / file) in line
    assert "the same command tries those again" in line
    folder = Path(run["run"])
    assert [row.split(",")[0] for row in (folder / "scores.csv").read_text().splitlines()[1:]] == [
        *("case-0", "case-1", "case-2", "case-4")
    ]
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("predictions/*")}
    (cohort / "case-3" / file).write_bytes(whole)
    again = ubench("run", "threshold", *all_test, "--json")
    assert again.code == 0, again.err
    (run,) = again.json["runs"]
    assert (run["state"], run["failed_cases"], run["error"]) == ("complete", {}, None)
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("predictions/*")}
    assert len(after) == 5
    assert {name: after[name] for name in before} == before
    quiet = ubench("run", "threshold", *all_test, "--json", "--runs", "elsewhere").json["runs"][0]
    assert (quiet["dsc"], quiet["hd95_mm"]) == (run["dsc"], run["hd95_mm"])


def test_the_table_and_show_say_what_is_missing(ubench: Ubench, cohort: Path, all_test: list[str]) -> None:
    spoil_image(cohort, "case-1")
    spoil_reference(cohort, "case-2")
    shown = ubench("run", "threshold", *all_test)
    assert shown.code == 1
    assert "5 (2 missing)" in shown.out
    told = ubench("show", "threshold").out
    assert "failed      case-1: DataError" in told
    assert "failed      case-2: DataError" in told
    record = json.loads(next(Path().glob("runs/folder/*/run.json")).read_text())
    assert record["missing_cases"] == ["case-1", "case-2"]
    assert record["state"] == "partial"
    assert record["unscored"] == {}  # the image of the one and the reference of the other cannot be read
    assert "2m" in ubench("compare").out
    assert "3 of 5 cases" in ubench("compare").out
    assert "5 cases" in ubench("compare", "--missing", "worst").out


def test_a_comparison_never_averages_over_different_cases(ubench: Ubench, cohort: Path, all_test: list[str]) -> None:
    ubench("run", "threshold", *all_test)
    spoil_image(cohort, "case-1")
    ubench("run", "threshold", *all_test, "--set", "rule=otsu")
    runs = sorted(Path().glob("runs/folder/*"))
    refused = ubench("compare", *runs)
    assert refused.code == 2
    (line,) = errors(refused)
    assert "lacks 1 of the cases" in line
    assert "case-1" in line
    common = ubench("compare", *runs, "--missing", "common", "--json").json
    assert common["cases"] == ["case-0", "case-2", "case-3", "case-4"]


@pytest.mark.parametrize("spoil", [spoil_image, spoil_reference])
def test_strict_ends_at_the_first(ubench: Ubench, cohort: Path, all_test: list[str], spoil) -> None:
    spoil(cohort, "case-1")
    spoil(cohort, "case-3")
    result = ubench("run", "threshold", "threshold", *all_test, "--strict", "--seed", "0,1", "--json")
    assert result.code in {1, 2}
    (line,) = errors(result)
    assert str(cohort / "case-1") in line
    assert len(result.json["runs"]) == 1
    assert not list(Path().glob("runs/folder/*/scores.csv"))


def test_all_cases_bad_is_no_run(ubench: Ubench, cohort: Path, all_test: list[str]) -> None:
    for case in CASES:
        spoil_image(cohort, case)
    result = ubench("run", "threshold", *all_test, "--json")
    assert result.code == 2
    assert result.json["runs"][0]["state"] == "failed"
    (line,) = errors(result)
    assert str(cohort / "case-0" / "flair.nii.gz") in line


def test_an_image_to_learn_from_ends_the_run(ubench: Ubench, tiny: Path, cohort: Path, data: list[str]) -> None:
    """A model that learned from fewer cases than the split says would be another model under the same name."""
    for case in CASES:
        spoil_image(cohort, case)
    result = ubench("run", tiny, *data)
    assert result.code == 2
    assert "cut short" in errors(result)[0]


def test_predictions_of_a_model_that_learned_from_other_images_are_not_kept(
    ubench: Ubench, tmp_path: Path, cohort: Path, data: list[str]
) -> None:
    """A case fails, a training image is mended, the same command goes on: all of its masks are one model's."""
    moody = tmp_path / "moody.py"
    moody.write_text(
        "import numpy as np\nfrom unseg_bench import Method\n\n\nclass Moody(Method):\n    name = 'moody'\n\n"
        "    def fit(self, training, validation, context):\n"
        "        self.level = float(np.mean([np.quantile(one.image, 0.97) for one in training]))\n\n"
        "    def segment(self, volume, context):\n"
        "        if volume.image.max() > 50:\n            raise ValueError('far too bright')\n"
        "        return volume.brain & (volume.image > self.level)\n",
        encoding="utf-8",
    )
    plan = ubench("run", moody, *data, "--dry-run", "--json").json["runs"][0]
    assert plan["to_segment"] == 2
    split = split_of(data, cohort)
    whole = change(cohort / split["test"][0] / "flair.nii.gz", one_bright_voxel)
    assert list(ubench("run", moody, *data, "--json").json["runs"][0]["failed_cases"]) == [split["test"][0]]
    (cohort / split["test"][0] / "flair.nii.gz").write_bytes(whole)
    change(cohort / split["train"][0] / "flair.nii.gz", lambda image: np.where(image > 0, image + image**2, 0))
    done = ubench("run", moody, *data, "--json").json["runs"][0]
    fresh = ubench("run", moody, *data, "--json", "--runs", "fresh").json["runs"][0]
    assert (done["state"], done["dsc"]) == ("complete", fresh["dsc"])
    for path in Path(done["run"]).glob("predictions/*"):
        assert path.read_bytes() == (Path(fresh["run"]) / "predictions" / path.name).read_bytes()


def split_of(data: list[str], cohort: Path) -> dict[str, tuple[str, ...]]:
    """The cases of each part, as the options that name the cohort cut it."""
    ratios = tuple(float(part) for part in data[data.index("--split") + 1].split(":"))
    split = split_by_ratio(sorted(path.name for path in cohort.iterdir()), ratios, 0)
    return {"train": split.train, "test": split.test}


def change(path: Path, how: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """Write another image to a file; returns the bytes that it had."""
    whole = path.read_bytes()
    image = nib.Nifti1Image.from_bytes(gzip.decompress(whole))
    nib.Nifti1Image(how(image.get_fdata()).astype(np.float32), image.affine).to_filename(path)
    return whole


def one_bright_voxel(image: np.ndarray) -> np.ndarray:
    bright = image.copy()
    bright[12, 14, 10] = 100_000
    return bright


METHODS = {
    "returns None": ("return None", "not NoneType"),
    "a float mask": ("return volume.image * 0.5", r"not float32 of shape"),
    "an integer mask": ("return volume.brain.astype('uint8')", "not uint8 of shape"),
    "another shape": ("return volume.brain[1:]", "not bool of shape"),
    "a list": ("return [[True]]", "not list"),
    "an exception": ("raise ValueError('no luck with this one')", "ValueError: no luck with this one"),
    "an exit": ("raise SystemExit(3)", "SystemExit"),
    "memory": ("raise MemoryError('enough')", "MemoryError: enough"),
    "changes the image": ("volume.image[0] = 1", "read-only"),
}


def image_sum(path: Path) -> float:
    """What a method can know a case by, since it is not told the case's id."""
    return float(prepare(read_image(path))[0].sum())


@pytest.mark.slow
@pytest.mark.parametrize("what", METHODS)
def test_a_method_that_misbehaves_on_one_case(
    ubench: Ubench, tmp_path: Path, cohort: Path, all_test: list[str], what: str
) -> None:
    body, message = METHODS[what]
    known_by = image_sum(cohort / "case-2" / "flair.nii.gz")
    path = tmp_path / "bad.py"
    path.write_text(
        "from unseg_bench import Method\n\n\nclass Bad(Method):\n    name = 'bad'\n\n"
        "    def segment(self, volume, context):\n"
        f"        if float(volume.image.sum()) == {known_by}:\n            {body}\n"
        "        return volume.brain & (volume.image > 1)\n",
        encoding="utf-8",
    )
    result = ubench("run", path, *all_test, "--json")
    assert result.code == 1, result.err
    (run,) = result.json["runs"]
    assert (run["state"], list(run["failed_cases"])) == ("partial", ["case-2"])
    assert re.search(message, run["failed_cases"]["case-2"]), run["failed_cases"]
    assert run["dsc"] > 0
