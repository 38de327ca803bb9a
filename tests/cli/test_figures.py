"""`ubench figures` on a tiny cohort with real masks: files, choice of cases and slices, errors."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.cli.main import main
from unseg_bench.compare.build import compare
from unseg_bench.compare.runs import collect
from unseg_bench.report.figures.kinds import FigureSettings
from unseg_bench.report.figures.registry import FIGURES

METHOD = """
from unseg_bench import Method, MethodOptions


class TinyOptions(MethodOptions):
    level: float = 2.0


class Tiny(Method):
    \"\"\"Bright is tumour.\"\"\"

    name = "tiny"
    Options = TinyOptions
    presets = {"paper": {}}

    def segment(self, volume, context):
        return volume.brain & (volume.image > self.options.level)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def cohort(place: Path, cohort_template: Path) -> Path:
    return Path(shutil.copytree(cohort_template, place / "cohort"))


@pytest.fixture(scope="module")
def tiny_runs(place: Path, cohort: Path) -> Path:
    """Two settings of the tiny method on the cohort, made once for all tests here."""
    (place / "tiny.py").write_text(METHOD, encoding="utf-8")
    where = ["--data", cohort, "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz", "--split", "3:0:2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UBENCH_CACHE", str(place / "cache"))
        for level in ("0.5", "2.0"):
            words = ["run", place / "tiny.py", *where, "--set", f"level={level}", "--runs", place / "runs"]
            assert main([str(word) for word in words]) == 0
    return place / "runs"


def all_runs(folder: Path) -> list[str]:
    return sorted(str(path.parent) for path in folder.glob("*/*/run.json"))


def examples_figure(folder: Path, **settings):
    runs = collect(folder, all_runs(folder)).runs
    return runs, FIGURES["examples"].draw(compare(runs), FigureSettings(runs=runs, **settings))


def test_files_are_written_and_named(ubench, tiny_runs: Path):
    names = [word for name in ("volumes", "examples", "sweep") for word in ("--only", name)]
    result = ubench("figures", *all_runs(tiny_runs), "--out", "out", *names, "--width", "single", "--over", "level")
    assert result.code == 0, result.err
    expected = [f"out/{name}.{ext}" for name in ("volumes", "examples", "sweep") for ext in ("svg", "pdf")]
    assert result.out.split() == expected
    assert all(Path(name).stat().st_size > 1000 for name in expected)


def test_json_tells_files_captions_and_what_is_not_there(ubench, tiny_runs: Path):
    result = ubench("figures", *all_runs(tiny_runs), "--out", "out", "--format", "svg", "--json")
    drawn = {figure["name"]: figure for figure in result.json["figures"]}
    assert drawn["volumes"]["files"] == [str(Path("out") / "volumes.svg")]
    assert "2 test cases" in drawn["dsc-by-size"]["caption"]
    assert "critical-difference" in result.json["not_drawn"]


def test_what_cannot_be_drawn_is_said_on_stderr(ubench, tiny_runs: Path):
    result = ubench("figures", all_runs(tiny_runs)[0], "--out", "out", "--format", "svg")
    assert result.code == 0, result.err
    assert "not drawn: paired-differences: there is one method only" in result.err
    assert "out/examples.svg" in result.out


def test_bad_input_is_one_line(ubench, tiny_runs: Path, error_line):
    runs = all_runs(tiny_runs)
    assert "--case nobody" in error_line(ubench("figures", *runs, "--only", "examples", "--case", "nobody"))
    assert "is in slices" in error_line(ubench("figures", *runs, "--only", "examples", "--slice", "99"))
    assert "--over" in error_line(ubench("figures", *runs, "--only", "sweep", "--over", "levle"))
    assert "volumes" in error_line(ubench("figures", *runs, "--only", "volums"))


def test_panels_show_the_slice_with_most_tumour_and_its_outline(tiny_runs: Path, cohort: Path):
    runs, figure = examples_figure(tiny_runs)
    cases = sorted(score.case for score in runs[0].scores)
    assert len(figure.axes) == 3 * len(cases)
    reference = nib.load(cohort / cases[0] / "seg.nii.gz").get_fdata() > 0
    z = int(reference.sum(axis=(0, 1)).argmax())
    assert figure.texts[1].get_text().startswith(f"{cases[0]}: ")
    assert figure.texts[1].get_text().endswith(f"slice {z}")
    red = figure.axes[0].collections[0].get_paths()[0].vertices
    wide = 2.0 * reference[:, :, z].any(axis=1).sum()
    assert np.ptp(red[:, 0]) == pytest.approx(wide, abs=1e-6)
    (bar,) = [line for line in figure.axes[0].get_lines() if line.get_gid() == "scale-bar"]
    assert np.ptp(bar.get_xdata()) == 20.0


def test_a_tumour_on_the_patients_right_stands_on_the_left(tiny_runs: Path, cohort: Path):
    """The file's affine is RAS: a low x index is the patient's left, so the ball at x = 9 of 24 stands on the right."""
    _, figure = examples_figure(tiny_runs)
    axes = figure.axes[0]
    red = axes.collections[0].get_paths()[0].vertices
    assert red[:, 0].mean() > np.mean(axes.get_xlim())
    letters = {text.get_text(): text.get_position()[0] for text in axes.texts}
    assert letters["R"] < 0.5 < letters["L"]


def test_a_named_case_and_slice_and_the_dsc_of_the_run(tiny_runs: Path):
    case = collect(tiny_runs, all_runs(tiny_runs)).runs[0].scores[0].case
    runs, figure = examples_figure(tiny_runs, case=case, slice_index=10)
    assert len(figure.axes) == 3
    assert figure.texts[1].get_text().endswith("slice 10")
    scores = [next(score.dsc for score in run.scores if score.case == case) for run in runs]
    shown = [axes.texts[0].get_text() for axes in figure.axes[1:]]
    assert shown == [f"DSC {100 * dsc:.1f}" for dsc in scores]


@pytest.mark.parametrize("width", [85.0, 180.0])
def test_texts_of_the_examples_are_inside(tiny_runs: Path, width: float):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    _, figure = examples_figure(tiny_runs, width_mm=width)
    renderer = FigureCanvasAgg(figure).get_renderer()
    box = figure.get_tightbbox(renderer)
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_figwidth() + 1e-6
    assert box.y1 <= figure.get_figheight() + 1e-6


def test_moved_data_say_so(ubench, tiny_runs: Path, cohort: Path, error_line):
    words = ("figures", *all_runs(tiny_runs), "--only", "examples", "--format", "svg")
    moved = cohort.rename(cohort.with_name("moved"))
    try:
        assert "--data" in error_line(ubench(*words))
        found = ubench(*words, "--data", moved)
    finally:
        moved.rename(cohort)
    assert found.code == 0, found.err
    assert found.out == "figures/examples.svg\n"


def test_help_loads_no_matplotlib() -> None:
    import json
    import subprocess
    import sys

    code = (
        "import json, sys\nfrom unseg_bench.cli.main import main\nmain(['figures', '--help'])\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert {"matplotlib", "numpy", "scipy"}.isdisjoint(json.loads(done.stderr.splitlines()[-1]))
