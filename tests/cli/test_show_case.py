"""`show --case`: a picture a step of a method that explains itself, and a run that stays as it is."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Result, Ubench
from unseg_bench.data.paths import cache_dir
from unseg_bench.plugins import digests

ErrorLine = Callable[[Result], str]

METHOD = """
import numpy as np

from unseg_bench import Method, MethodOptions, Supervision, stage
from unseg_bench.plugins.explain import Explanation, Step


@stage("level")
def find_level(work, options, training):
    np.save(work.folder / "level.npy", 1.5)


@stage("of-one-case")
def look_closer(work, digest):
    np.save(work.folder / "level.npy", 1.5)


class TellsOptions(MethodOptions):
    wrong: str = ""


class Tells(Method):
    name = "tells"
    Options = TellsOptions
    supervision = Supervision.PROMPTS_FROM_MASKS

    def fit(self, training, validation, context):
        self.level = float(context.run(find_level, self.options, training=training).array("level"))

    def segment(self, volume, context):
        return volume.brain & (volume.image > self.level)

    def explain(self, volume, context):
        context.table("steps", [{"case": volume.case_id}])
        context.note("note", {"value": 1})
        assert float(context.run(look_closer, digest=volume.digest).array("level")) == self.level
        reference = context.labels.mask(volume.case_id, "showing it")
        heat = np.clip(volume.image / 4, 0, 1)
        if self.options.wrong == "heat":
            heat = volume.image
        if self.options.wrong == "error":
            raise KeyError("no luck")
        if self.options.wrong == "shape":
            heat = heat[1:]
        assert reference.any()
        z = int(self.segment(volume, context).sum(axis=(0, 1)).argmax())
        prompts = {"boxes": {z: [(4, 5, 10, 12)]}, "points": {z: [(7, 8, True), (4, 5, False)]}}
        steps = [
            Step("Heat: where it is bright!", heat=heat, note="level 1.5"),
            Step("Prompts", **prompts),
            Step("Mask", mask=self.segment(volume, context)),
        ]
        return Explanation(volume, steps)
"""


@pytest.fixture
def tells(tmp_path: Path) -> Path:
    path = tmp_path / "tells.py"
    path.write_text(METHOD, encoding="utf-8")
    return path


@pytest.fixture
def run(ubench: Ubench, tells: Path, data: list[str]) -> Path:
    return Path(ubench("run", tells, *data, "--json").json["runs"][0]["run"])


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file of a run but its pictures."""
    files = [path for path in folder.rglob("*") if path.is_file() and "pictures" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_each_step_is_a_picture_and_the_run_stays_as_it_was(ubench: Ubench, run: Path) -> None:
    from PIL import Image

    case = json.loads((run / "run.json").read_text())["cases"][0]
    before = contents(run)
    shown = ubench("show", run, "--case", case)
    assert shown.code == 0, shown.err
    names = ["1-slice", "2-heat-where-it-is-bright", "3-prompts", "4-mask", "5-prediction"]
    files = [run / "pictures" / case / f"{name}.png" for name in names]
    assert [Path(line).resolve() for line in shown.out.splitlines()] == [file.resolve() for file in files]
    assert contents(run) == before
    pictures = {}
    for file in files:
        with Image.open(file) as picture:
            pictures[file.name] = np.asarray(picture.convert("RGB")).astype(int)
    coloured = {name: int((np.ptp(picture, axis=2) > 60).sum()) for name, picture in pictures.items()}
    assert coloured["1-slice.png"] == 0
    assert min(coloured[f"{name}.png"] for name in names[1:]) > 300
    assert coloured["2-heat-where-it-is-bright.png"] > 10 * coloured["4-mask.png"]
    heat, plain = (pictures[f"{name}.png"].shape for name in names[1::-1])
    assert heat[1] > 1.8 * plain[1]


def test_another_image_than_that_of_the_run_is_not_shown(
    ubench: Ubench, run: Path, cohort: Path, error_line: ErrorLine
) -> None:
    case, other = json.loads((run / "run.json").read_text())["cases"]
    shutil.copy(cohort / other / "flair.nii.gz", cohort / case / "flair.nii.gz")
    line = error_line(ubench("show", run, "--case", case))
    assert f"{case}/flair.nii.gz: is not the image from which" in line
    assert "--data DIR, or run the method again" in line
    assert not (run / "pictures").exists()


@pytest.mark.slow
def test_the_bytes_are_the_same_each_time_and_older_pictures_go(ubench: Ubench, run: Path, tmp_path: Path) -> None:
    ubench("show", run, "--case", "case-0")
    first = {path.name: path.read_bytes() for path in (run / "pictures" / "case-0").iterdir()}
    (run / "pictures" / "case-0" / "9-old.png").touch()
    ubench("show", run, "--case", "case-0")
    assert {path.name: path.read_bytes() for path in (run / "pictures" / "case-0").iterdir()} == first
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "mine.png").touch()
    given = ubench("show", run, "--case", "case-0", "--out", tmp_path / "else", "--json").json
    assert given["case"] == "case-0"
    assert given["no_steps"] is None
    assert given["pictures"] == [str(tmp_path / "else" / name) for name in sorted(first)]
    assert (tmp_path / "else" / "mine.png").is_file()


@pytest.mark.slow
def test_another_slice_is_another_picture(ubench: Ubench, run: Path, tmp_path: Path, error_line: ErrorLine) -> None:
    for number in (5, 12):
        assert ubench("show", run, "--case", "case-1", "--slice", number, "--out", tmp_path / str(number)).code == 0
    assert (tmp_path / "5" / "1-slice.png").read_bytes() != (tmp_path / "12" / "1-slice.png").read_bytes()
    told = error_line(ubench("show", run, "--case", "case-1", "--slice", 19))
    assert "--slice 19: the brain of this case is in slices 3 to 17" in told


def test_a_method_that_explains_nothing_leaves_slice_and_prediction(ubench: Ubench, two_runs: Result) -> None:
    record = ubench("show", "threshold", "--json").json
    shown = ubench("show", "threshold", "--case", record["cases"][0])
    assert [Path(line).name for line in shown.out.splitlines()] == ["1-slice.png", "2-prediction.png"]
    assert shown.err.splitlines()[-1] == "no steps: threshold does not explain itself (it has no `explain`)"
    assert shown.code == 0


def test_predictions_made_elsewhere_have_pictures_too(
    ubench: Ubench, run: Path, data: list[str], tmp_path: Path
) -> None:
    scored = ubench("score", run / "predictions", "--as", "theirs", *data)
    assert scored.code == 0, scored.err
    case = json.loads((run / "run.json").read_text())["cases"][0]
    shown = ubench("show", "theirs", "--case", case)
    assert [Path(line).name for line in shown.out.splitlines()] == ["1-slice.png", "2-prediction.png"]
    assert "no steps: the predictions were made elsewhere" in shown.err


@pytest.mark.parametrize(("case", "told"), [("case-9", "no such case in the run's split"), ("../../x", "case id")])
def test_bad_case_ids(ubench: Ubench, run: Path, error_line: ErrorLine, case: str, told: str) -> None:
    assert told in error_line(ubench("show", run, "--case", case))
    assert not (run / "pictures").exists()


def test_unknown_runs_and_options_without_a_case(ubench: Ubench, run: Path, error_line: ErrorLine) -> None:
    assert "no run 'tels' in runs" in error_line(ubench("show", "tels", "--case", "case-0"))
    for options in (["--slice", 3], ["--out", "x"], ["--data", "x"], ["--recompute"]):
        assert f"{options[0]} is about one case" in error_line(ubench("show", run, *options))
    assert "give one of them" in error_line(ubench("show", run, "--case", "case-0", "--table", "x"))


@pytest.mark.slow
def test_data_that_moved_or_are_gone(ubench: Ubench, run: Path, cohort: Path, error_line: ErrorLine) -> None:
    cohort.rename(cohort.with_name("moved"))
    assert "give where its folder is now with --data DIR" in error_line(ubench("show", run, "--case", "case-0"))
    shown = ubench("show", run, "--case", "case-0", "--data", cohort.with_name("moved"))
    assert (shown.code, len(shown.out.splitlines())) == (0, 5), shown.err


@pytest.mark.slow
def test_a_cleaned_cache_is_said_and_recomputed_only_on_demand(ubench: Ubench, run: Path) -> None:
    shutil.rmtree(cache_dir() / "stages")
    before = contents(run)
    case = json.loads((run / "run.json").read_text())["cases"][0]
    shown = ubench("show", run, "--case", case)
    assert [Path(line).name for line in shown.out.splitlines()] == ["1-slice.png", "2-prediction.png"]
    assert shown.code == 2
    assert "the result of stage 'level' is no longer in the cache" in shown.err
    again = ubench("show", run, "--case", "case-0", "--recompute")
    assert (again.code, contents(run)) == (0, before), again.err
    assert "4-mask.png" in again.out


@pytest.mark.slow
def test_code_that_changed_is_said(ubench: Ubench, run: Path, tells: Path) -> None:
    tells.write_text(METHOD.replace("Prompts", "Hints"))
    digests.code_digest.cache_clear()
    digests._normal_form.cache_clear()
    shown = ubench("show", run, "--case", "case-0")
    assert shown.code == 2
    assert "are no longer those of this run" in shown.err
    assert "3-hints.png" in ubench("show", run, "--case", "case-0", "--recompute").out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "code", "told"),
    [
        ("heat", 2, "step 'Heat: where it is bright!': its heat is not within 0 and 1"),
        ("shape", 2, "its heat has the shape"),
        ("error", 1, "explain failed with KeyError: 'no luck'"),
    ],
)
def test_a_bad_explanation_is_told(
    ubench: Ubench, tells: Path, data: list[str], wrong: str, code: int, told: str
) -> None:
    ubench("run", tells, *data, "--set", f"wrong={wrong}")
    shown = ubench("show", "tells", "--case", "case-0")
    assert (shown.code, told in shown.err) == (code, True), shown.err


def test_a_file_is_explained_behind_the_seal_and_never_imported_here(
    ubench: Ubench, tells: Path, data: list[str]
) -> None:
    from unseg_bench.run.session.seal import kernel_obstacle

    if (reason := kernel_obstacle()) is not None:
        pytest.skip(reason)
    run = Path(ubench("run", tells, *data, "--json").json["runs"][0]["run"])
    shown = ubench("show", run, "--case", "case-0")
    assert shown.code == 0, shown.err
    assert "Mask" in shown.out or "mask" in shown.out
    assert not [name for name in sys.modules if name.startswith("ubench_file_tells")]


def test_a_file_that_a_run_names_is_never_run_without_a_seal(
    ubench: Ubench, tells: Path, data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from unseg_bench.run import explain

    run = Path(ubench("run", tells, *data, "--json").json["runs"][0]["run"])
    monkeypatch.setattr(explain, "kernel_obstacle", lambda: "no seal here")
    shown = ubench("show", run, "--case", "case-0")
    assert shown.code == 2
    assert "a file that a run names is never run without a seal: no seal here" in shown.err
    assert "1-slice.png" in shown.out
