"""Metrics on the command line: those of the package that one asks for, and those that a plugin adds."""

import csv
import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Ubench

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "writing-a-method.md").read_text()
SECTION = GUIDE.partition("## A metric\n")[2].partition("\n## ")[0]
SOURCE = re.findall(r"^```python\n# volume_error\.py\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)[0]
COMMANDS = re.findall(r"^ubench (.*)$", SECTION, re.MULTILINE)
Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Install]:
    """A function that installs the guide's metric as a plugin, its text changed or not, in place of an earlier one."""
    ours = list(entry_points(group="unseg_bench"))
    names: list[str] = []

    def make(old: str = "", new: str = "") -> None:
        assert old in SOURCE
        names.append(f"volume_error_{len(names)}")
        (tmp_path / f"{names[-1]}.py").write_text(SOURCE.replace(old, new), encoding="utf-8")
        found = [*ours, EntryPoint("volume_error", names[-1], "unseg_bench")]
        monkeypatch.setattr("unseg_bench.plugins.manager.entry_points", lambda group: found)

    monkeypatch.syspath_prepend(str(tmp_path))
    yield make
    for name in names:
        sys.modules.pop(name, None)


def flat(text: str) -> str:
    return " ".join(text.split())


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def errors_of(result: Result, place: int = 0) -> dict[str, float]:
    """By case, what a run's scores say of the guide's metric."""
    path = Path(result.json["runs"][place]["run"]) / "scores.csv"
    return {row["case"]: float(row["volume_error_ml"]) for row in rows_of(path)}


def test_the_guide_s_metric_is_in_scores_table_statistics_files_figures_and_page(
    ubench: Ubench, install: Install, data: list[str]
) -> None:
    install()
    said: dict[str, str] = {}
    for command in COMMANDS:
        name, *words = command.split()
        done = ubench(name, *words, *([*data[:-1], "all-test"] if name == "run" else []))
        assert done.code == 0, f"{command}\n{done.err}"
        said[name] = flat(done.out)
    assert list(said) == ["run", "compare", "report", "figures", "cases"]
    (scores,) = map(rows_of, Path("runs").glob("folder/threshold-*/scores.csv"))
    errors = {row["case"]: float(row["volume_error_ml"]) for row in scores}
    for row in scores:
        apart = abs(float(row["predicted_ml"]) - float(row["tumour_ml"]))
        assert errors[row["case"]] == pytest.approx(apart)
    written = [row for row in rows_of(Path("volumes.csv")) if row["label"] == "threshold"]
    assert {row["case"]: float(row["volume_error_ml"]) for row in written} == errors
    mean = f"{sum(errors.values()) / len(errors):.1f}±"
    for place in (said["compare"], flat(Path("report.html").read_text())):
        assert mean in place
        assert "volume error: the difference of the two volumes; lower is better" in place
        assert "volume error over all cases: " in place
    assert mean.replace("±", r"$\pm$") in Path("volumes.tex").read_text()
    drawn = {path.name for path in Path("figures").iterdir()}
    assert {"volume_error-by-size.svg", "paired-differences-volume_error.svg", "dsc-by-size.svg"} <= drawn
    assert re.findall(r"\b(case-\d)\b", said["cases"]) == sorted(errors, key=lambda case: -errors[case])[:3]


def test_a_metric_that_ends_the_program_is_an_error_that_names_it(
    ubench: Ubench, install: Install, data: list[str]
) -> None:
    install("return voxels * float(np.prod(spacing_mm)) / 1000", "raise SystemExit(0)")
    done = ubench("run", "threshold", *data)
    assert done.code != 0
    assert "metric 'volume_error_ml' failed with SystemExit" in flat(done.err)


def test_an_installed_metric_that_no_run_has_is_told_with_the_remedy(
    ubench: Ubench, install: Install, two_runs: Result
) -> None:
    install()
    for command in (("compare", "--metric"), ("cases", "threshold", "--by")):
        done = ubench(*command, "volume_error")
        assert done.code == 2
        assert "no run here was scored by it; the same `ubench run` or `ubench score` command" in flat(done.err)


def test_a_metric_of_the_package_that_one_asks_for(ubench: Ubench, two_runs: Result) -> None:
    run = Path(two_runs.json["runs"][1]["run"])
    recalls = [100 * float(row["recall"]) for row in rows_of(run / "scores.csv")]
    shown = ubench("compare", "--metric", "recall", "--json").json
    assert [column["metric"] for column in shown["columns"]][:3] == ["dsc", "hd95_mm", "recall"]
    cell = next(row for row in shown["rows"] if row["label"] == "threshold")["cells"]["recall"]
    assert 100 * cell["mean"] == pytest.approx(sum(recalls) / len(recalls))
    assert "recall %" in ubench("compare", "--metric", "recall").out
    assert "recall" not in ubench("compare").out
    wanted = ("--only", "ranking-stability", "--format", "svg", "--metric", "recall", "--metric", "hd_max")
    assert ubench("figures", *wanted).code == 0
    assert Path("figures/ranking-stability.svg").read_text().count("rank by mean ") == 4
    both = [ubench("compare", "--metric", "both").out, ubench("compare", "--metric", "dsc", "--metric", "hd95_mm").out]
    assert both[0] == both[1]


def test_a_name_that_no_metric_has_is_answered_with_those_that_there_are(
    ubench: Ubench, two_runs: Result, error_line: Callable[[Result], str]
) -> None:
    assert two_runs.code == 0
    said = "there is no such metric. Known: dsc, hd95, hd95_max_directed, hd_max, precision, recall, surface_dsc."
    for command, option in (("compare", "--metric"), ("report", "--metric"), ("figures", "--metric")):
        assert error_line(ubench(command, option, "nonsense")) == f"Error: --metric nonsense: {said}"
    assert error_line(ubench("cases", "threshold", "--by", "nonsense")) == f"Error: --by nonsense: {said}"
    assert "Did you mean 'recall'?" in error_line(ubench("compare", "--metric", "recal"))


def test_scores_from_before_lack_the_metric_until_they_are_made_again(
    ubench: Ubench, two_runs: Result, install: Install, data: list[str], error_line: Callable[[Result], str]
) -> None:
    assert two_runs.code == 0
    install()
    assert "no run here was scored by it" in error_line(ubench("compare", "--metric", "volume_error"))
    again = ubench("run", "whole-brain", *data, "--json")
    shown = ubench("compare", "--metric", "volume_error")
    assert "no volume error in the scores of threshold (seed 0)" in flat(shown.out)
    assert "the same `ubench run` or `ubench score` command scores again" in flat(shown.out)
    assert re.search(r"^threshold .* – ", shown.out, re.MULTILINE)
    assert "no run here was scored by it" in error_line(ubench("cases", "threshold", "--by", "volume_error"))
    made = ubench("run", "threshold", *data, "--json")
    assert "scored again, since there is a metric that is new or another: volume_error_ml" in made.err
    assert errors_of(made).keys() == errors_of(again).keys()
    assert "no volume error" not in flat(ubench("compare", "threshold", "--metric", "volume_error").out)
    assert "scored again" not in ubench("run", "threshold", *data).err


def test_scores_of_two_versions_are_not_compared_and_are_made_again(
    ubench: Ubench, install: Install, data: list[str], error_line: Callable[[Result], str]
) -> None:
    install()
    before = errors_of(ubench("run", "threshold", *data, "--json"))
    install("/ 1000", "/ 500")
    ubench("run", "whole-brain", *data)
    refused = error_line(ubench("compare", "--metric", "volume_error"))
    assert "metric 'volume_error_ml' is described or computed otherwise for" in refused
    assert ubench("compare").code == 0
    after = errors_of(ubench("run", "threshold", *data, "--json"))
    assert after == {case: pytest.approx(2 * value) for case, value in before.items()}
    assert ubench("compare", "--metric", "volume_error").code == 0


def test_predictions_made_elsewhere_are_measured_too(ubench: Ubench, install: Install, data: list[str]) -> None:
    install()
    run = ubench("run", "threshold", *data, "--json")
    masks = Path(run.json["runs"][0]["run"]) / "predictions"
    theirs = ubench("score", masks, "--as", "theirs", *data, "--json")
    rows = rows_of(Path(theirs.json["run"]) / "scores.csv")
    assert {row["case"]: float(row["volume_error_ml"]) for row in rows} == errors_of(run)
    install("/ 1000", "/ 500")
    again = ubench("score", masks, "--as", "theirs", *data, "--json")
    assert again.json["run"] == theirs.json["run"]
    twice = rows_of(Path(again.json["run"]) / "scores.csv")
    assert [float(row["volume_error_ml"]) for row in twice] == [2 * float(row["volume_error_ml"]) for row in rows]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("return float('nan')", "returned nan, which is no finite number"),
        ("return 'much'", "returned 'much', which is no finite number"),
        ("return prediction[0, 0, 99]", "failed with IndexError: index 99"),
        ("prediction[0] = True", "failed with ValueError: assignment destination is read-only"),
    ],
)
def test_a_function_that_fails_is_an_error_that_names_metric_and_case(
    ubench: Ubench, install: Install, data: list[str], new: str, said: str
) -> None:
    install("return voxels * float(np.prod(spacing_mm)) / 1000", new)
    done = ubench("run", "threshold", *data)
    assert done.code == 2
    assert re.search(r"Error: case case-\d: metric 'volume_error_ml' ", flat(done.err))
    assert said in flat(done.err)


def test_missing_predictions_cannot_count_as_the_worst_of_what_has_no_worst(
    ubench: Ubench, install: Install, data: list[str], error_line: Callable[[Result], str]
) -> None:
    install()
    ubench("run", "threshold", *data)
    line = error_line(ubench("compare", "--metric", "volume_error", "--missing", "worst"))
    assert line.startswith("Error: --missing worst: metric 'volume_error_ml' has no worst value")


def test_a_name_that_is_taken_is_told(ubench: Ubench, install: Install, data: list[str]) -> None:
    install('"volume_error_ml"', '"hd95_ml"')
    done = ubench("run", "threshold", *data)
    assert done.code == 2
    assert "metric 'hd95_ml' of volume_error_0: this name is taken; choose another one there" in flat(done.err)
