"""`ubench thresholds`: what each threshold earns, the curve of kept maps, and plain words where there is none."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.cli.conftest import Result, Ubench
from unseg_bench.score.case import score_case

ErrorLine = Callable[[Result], str]
CUTS = """
from unseg_bench import Method, MethodOptions, stage
from unseg_bench.blocks.thresholds import ThresholdOptions, collect_normal_values, find_thresholds


@stage("normal-values", seeded=False)
def normal_values(work, *, cohort):
    collect_normal_values(work, cohort, lambda volume: volume.image, lambda volume: volume.brain & (volume.image < 2))


class CutsOptions(MethodOptions):
    thresholds: ThresholdOptions = ThresholdOptions()


class Cuts(Method):
    name = "cuts"
    Options = CutsOptions

    def fit(self, training, validation, context):
        values = context.run(normal_values, cohort=training)
        self.thresholds = find_thresholds(self.options.thresholds, context, values)

    def segment(self, volume, context):
        return self.thresholds.apply(volume, volume.image, context)
"""


@pytest.fixture
def cuts(tmp_path: Path) -> Path:
    path = tmp_path / "cuts.py"
    path.write_text(CUTS, encoding="utf-8")
    return path


@pytest.fixture
def made(ubench: Ubench, cuts: Path, data: list[str]) -> Callable[..., Path]:
    def run(*more: str) -> Path:
        done = ubench("run", cuts, *data, "--device", "cpu", "--json", *more)
        assert done.code == 0, done.err
        return Path(done.json["runs"][0]["run"])

    return run


def mean_dsc(cohort: Path, folder: Path) -> float:
    """By hand, from the files alone."""
    masks = {path.name.removesuffix(".nii.gz"): np.asarray(nib.load(path).dataobj) > 0 for path in folder.iterdir()}
    references = {case: np.asarray(nib.load(cohort / case / "seg.nii.gz").dataobj) > 0 for case in masks}
    return float(np.mean([score_case(masks[case], references[case], (2.0, 2, 2)).dsc for case in masks]))


def test_each_threshold_earns_what_its_own_masks_do(ubench: Ubench, made: Callable[..., Path], cohort: Path) -> None:
    run = made()
    given = ubench("thresholds", "cuts", "--json").json
    rows = {row["name"]: row for row in given["thresholds"]}
    assert list(rows) == ["q0.95", "q0.98", "q0.99"]
    assert [name for name, row in rows.items() if row["chosen"]] == ["q0.98"]
    assert rows["q0.98"]["dsc"] == pytest.approx(mean_dsc(cohort, run / "predictions"))
    for name in ("q0.95", "q0.99"):
        assert rows[name]["dsc"] == pytest.approx(mean_dsc(cohort, run / "alternatives" / name))
        assert rows[name]["cases"] == 2
    assert rows["q0.99"]["normal_share"] == pytest.approx(0.01, abs=1e-3)
    assert given["curve"] is None


def test_without_maps_the_table_says_how_to_get_the_curve(
    ubench: Ubench, made: Callable[..., Path], error_line: ErrorLine, tmp_path: Path
) -> None:
    made()
    shown = ubench("thresholds", "cuts")
    assert shown.code == 0
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[0][:3] == ["cuts", "on", "folder,"]
    assert [line[-1] for line in lines if line[:1] == ["q0.98"]] == ["answer"]
    assert "no maps were kept, so there is no curve; the same `ubench run" in shown.out
    wish = error_line(ubench("thresholds", "cuts", "--output", tmp_path / "curve.svg"))
    assert "2 of 2 scored cases have no map" in wish
    assert "--keep-maps" in wish
    assert "Known endings" in error_line(ubench("thresholds", "cuts", "--output", tmp_path / "curve.bmp"))


def test_kept_maps_have_a_curve_that_runs_through_the_thresholds(
    ubench: Ubench, made: Callable[..., Path], tmp_path: Path
) -> None:
    run = made("--keep-maps")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    files = [tmp_path / "figures" / f"curve.{ending}" for ending in ("svg", "png")]
    given = ubench("thresholds", run, "--json", "--output", files[0], "--output", files[1]).json
    curve = given["curve"]
    assert curve["cases"] == 2
    for row in given["thresholds"]:
        at = np.abs(np.array(curve["threshold"]) - row["value"]).argmin()
        assert curve["dsc"][at] == pytest.approx(row["dsc"], abs=1e-12)
    assert curve["oracle"]["dsc"] == max(curve["dsc"]) >= max(row["dsc"] for row in given["thresholds"])
    assert any("oracle" in note for note in given["notes"])
    assert not any("off the curve" in note for note in given["notes"])
    drawn = files[0].read_text()
    for text in ("q0.98 (label-free, the run's answer)", "q0.95 (label-free)", "oracle", "DSC (%)"):
        assert text in drawn
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    shown = ubench("thresholds", run).out
    assert "curve's maximum" in shown
    assert "chosen with the references of the very cases" in shown


def test_masks_that_are_worked_on_after_the_cut_are_said_to_be_off_the_curve(
    ubench: Ubench, made: Callable[..., Path]
) -> None:
    run = made("--keep-maps", "--set", "thresholds.component=largest", "--set", "thresholds.quantile=0.5")
    assert "off the curve" in ubench("thresholds", run).out


def test_otsu_has_no_value_of_its_own(ubench: Ubench, made: Callable[..., Path]) -> None:
    run = made("--set", "thresholds.rule=otsu")
    (row,) = [line for line in ubench("thresholds", run).out.splitlines() if line.startswith("otsu")]
    assert row.split()[1:4] == ["each", "case's", "own"]
    assert row.rstrip().endswith("the answer")


def test_a_method_without_thresholds_is_one_clean_line(ubench: Ubench, two_runs: Result, error_line: ErrorLine) -> None:
    assert "'tiny' found no thresholds" in error_line(ubench("thresholds", "tiny"))


def test_alternatives_never_enter_a_comparison_and_show_names_them_in_a_line(
    ubench: Ubench, made: Callable[..., Path]
) -> None:
    run = made()
    compared = ubench("compare", "--json").json
    assert [row["label"] for row in compared["rows"]] == ["cuts"]
    assert "q0.95" not in str(compared)
    (line,) = [line for line in ubench("show", run).out.splitlines() if line.startswith("beside it")]
    assert line.endswith("(DSC % of other answers, never compared)")
    assert ubench("show", run, "--json").json["alternatives"] == ["q0.95", "q0.99"]


def test_scores_of_alternatives_go_where_there_are_none_any_more(ubench: Ubench, made: Callable[..., Path]) -> None:
    import shutil

    run = made()
    table = run / "scores-alternatives.csv"
    assert len(table.read_text().splitlines()) == 5
    shutil.rmtree(run / "alternatives")
    (run / "scores.csv").write_text("of an earlier version\n")
    made()
    assert not table.exists()


def test_a_damaged_alternative_is_left_out_and_told(
    ubench: Ubench, cuts: Path, made: Callable[..., Path], data: list[str]
) -> None:
    run = made()
    next((run / "alternatives" / "q0.95").iterdir()).write_bytes(b"no image")
    (run / "scores.csv").write_text("of an earlier version\n")
    again = ubench("run", cuts, *data, "--device", "cpu")
    assert again.code == 0
    assert "alternative q0.95: 1 of 2 masks cannot be scored, first: " in again.err + again.out
