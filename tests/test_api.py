"""The API from Python: what it returns is what the command line shows, and a notebook can show it."""

import pickle
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from statistics import fmean

import pytest

import unseg_bench as ub
from tests.silent import Silent
from unseg_bench.api import run_plans
from unseg_bench.run.executors.serial import Serial
from unseg_bench.score.outcome import RunAndScore

COHORT = {"train": 1, "valid": 1, "test": 4}
GUIDE = Path(__file__).parents[1] / "docs" / "python.md"
CODE = re.findall(r"^<!-- test: python -->\n```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    runs = tmp_path_factory.mktemp("api") / "runs"
    return runs, ub.run(["threshold", "empty"], dataset_options=COHORT, runs=runs)


def test_outcomes_are_a_table_of_the_runs(outcomes):
    runs, found = outcomes
    frame = found.to_frame()
    assert list(frame["method"]) == ["threshold", "empty"]
    assert list(frame["dsc"]) == [fmean(score.dsc for score in one.scores) for one in found]
    assert frame["run"][0].startswith(str(runs))
    assert found.failed == []
    assert found.exit_code == 0
    assert "threshold" in found._repr_html_()


STATES = """
from unseg_bench import Method

class Sure(Method):
    name = "sure"
    look_below = 0.5
    def segment(self, volume, context):
        context.confidence(volume, 0.25 + 0.5 * (volume.shape[0] % 2), {"voxels": volume.brain.sum()})
        return volume.brain & (volume.image > 2)
"""


def test_confidences_are_frames_and_stand_beside_the_scores_of_cases(tmp_path):
    file = tmp_path / "sure.py"
    file.write_text(STATES)
    found = ub.run([file, "threshold"], dataset_options=COHORT, runs=tmp_path / "runs")
    frame, look = found.confidences(), found[0].confidences.look
    assert list(frame.columns) == ["method", "preset", "seed", "case", "confidence", "voxels", "look"]
    assert list(frame["method"]) == ["sure"] * 4
    assert list(frame["confidence"]) == sorted(frame["confidence"])
    assert tuple(frame["case"][frame["confidence"] < 0.5]) == look == tuple(frame["case"][frame["look"]])
    assert list(found.to_frame()["look_at"]) == [len(look), 0]
    cases = ub.compare(found, groups=2).cases().set_index(["label", "case"])["confidence"]
    assert dict(cases["sure"]) == dict(zip(frame["case"], frame["confidence"], strict=True))
    assert cases["threshold"].isna().all()


def test_runs_whose_methods_state_none_give_an_empty_frame_of_confidences(outcomes):
    frame = outcomes[1].confidences()
    assert list(frame.columns) == ["method", "preset", "seed", "case", "confidence", "look"]
    assert len(frame) == 0


def test_the_same_call_only_reads_what_is_there(outcomes, capsys):
    runs, _ = outcomes
    again = ub.run("threshold", dataset_options=COHORT, runs=runs)
    assert "complete already" in capsys.readouterr().err
    assert again[0].dsc == outcomes[1][0].dsc


def test_a_run_that_fails_is_an_outcome_and_the_others_go_on(tmp_path, capsys):
    broken = tmp_path / "broken.py"
    broken.write_text(
        "from unseg_bench import Method\n\n\n"
        "class Broken(Method):\n"
        "    name = 'broken'\n\n"
        "    def segment(self, image, context):\n"
        "        raise RuntimeError('as it should')\n"
    )
    found = ub.run([str(broken), "empty"], dataset_options=COHORT, limit=1, runs=tmp_path / "runs")
    assert [one.error is None for one in found] == [False, True]
    assert "as it should" in str(found.failed[0].error)
    assert found.exit_code == 1
    assert "Error: " in capsys.readouterr().err
    stopped = ub.run([str(broken), "empty"], dataset_options=COHORT, limit=1, runs=tmp_path / "runs", strict=True)
    assert len(stopped) == 1


def test_a_comparison_shows_itself_and_gives_frames_and_files(outcomes, tmp_path):
    runs, found = outcomes
    table = ub.compare(runs=runs, groups=2)
    frame = table.to_frame()
    assert frame.loc["threshold", ("dsc", "mean")] == pytest.approx(found[0].dsc, abs=1e-15)
    assert frame.loc["empty", ("hd95_mm", "n")] == 4
    assert frame.loc["threshold", ("label_free", "")] == table.comparison.rows[0].label_free
    cases = table.cases()
    assert len(cases) == 8
    assert cases[cases["label"] == "threshold"]["dsc"].mean() == pytest.approx(found[0].dsc, abs=1e-15)
    assert "no evidence about the real methods" in table._repr_html_()
    assert '<th scope="row">threshold' in table._repr_html_()
    assert "threshold" in repr(table)
    table.write(tmp_path / "cases.csv")
    assert (tmp_path / "cases.csv").read_text().count("\n") == 9


def test_bad_input_names_what_is_wrong(outcomes):
    runs, _ = outcomes
    with pytest.raises(ub.SettingsError, match="no such rule"):
        ub.compare(runs=runs, missing="guess")
    with pytest.raises(ub.SettingsError, match="devise"):
        ub.run("empty", devise="cpu", runs=runs)
    with pytest.raises(ub.ScoreError, match="no run or method 'nothing'"):
        ub.compare("nothing", runs=runs)
    with pytest.raises(ub.SettingsError, match="name the column"):
        ub.compare(runs=runs, table="cohort.csv")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: ub.run(5), "the name of a method or a path"),
        (lambda: ub.run("empty", seeds=[]), "seeds"),
        (lambda: ub.run("empty", seeds=[-1]), "seeds"),
        (lambda: ub.run("empty", options="cut=1"), "names and values"),
        (lambda: ub.run("empty", dataset_options=5), "names and values"),
        (lambda: ub.compare(metrics="recal"), "recall"),
        (lambda: ub.report(out="page.pdf"), "ends in .html"),
        (lambda: ub.report(quality=1000), "from 1 to 100"),
    ],
)
def test_wrong_types_and_values_are_errors_of_ours(outcomes, monkeypatch, call, told):
    monkeypatch.chdir(outcomes[0].parent)
    with pytest.raises(ub.SettingsError, match=re.escape(told)):
        call()


@pytest.mark.parametrize("margin", [float("nan"), float("inf"), 0.0, -1.0, 2.0])
def test_a_margin_is_a_difference_in_dsc(outcomes, margin):
    with pytest.raises(ub.SettingsError, match="--margin"):
        ub.compare(runs=outcomes[0], statistics=True, margin=margin)


def test_what_run_returned_can_be_compared(outcomes):
    _, found = outcomes
    assert (
        ub.compare(found).comparison.labels
        == ub.compare([str(one.plan.folder.path) for one in found]).comparison.labels
    )
    assert ub.compare(found[0], metrics="recall").comparison.labels == ("threshold",)


def test_terminal_codes_of_an_error_are_text_in_a_frame(tmp_path):
    method = tmp_path / "loud.py"
    method.write_text(
        "from unseg_bench import Method\n\n\n"
        "class Loud(Method):\n"
        "    name = 'loud'\n\n"
        "    def segment(self, volume, context):\n"
        "        raise ValueError('\\x1b[31mRED')\n"
    )
    found = ub.run(method, dataset_options=COHORT, limit=1, runs=tmp_path / "runs")
    assert "RED" in found.to_frame()["error"][0]
    assert "\x1b" not in repr(found) + found._repr_html_()
    assert list(found.to_frame()["failed_cases"]) == [1]


def test_an_executor_gets_plans_and_work_that_is_made_of_values(outcomes):
    _, found = outcomes
    work = RunAndScore(since=12.5, strict=True)
    assert pickle.loads(pickle.dumps(work)) == work
    asked = []

    def notes(plan, reporter):
        asked.append(plan)
        return plan.method.name

    serial = Serial(lambda: nullcontext(Silent()))
    plans = [one.plan for one in found]
    first = next(iter(serial.run(plans, notes)))
    assert first == "threshold"
    assert asked == plans[:1]


def test_runs_go_through_the_executor_that_is_given(outcomes):
    _, found = outcomes

    class Backwards:
        def run(self, plans, work):
            return (work(plan, Silent()) for plan in reversed(plans))

    again = run_plans([one.plan for one in found], executor=Backwards())
    assert [one.plan.method.name for one in again] == ["empty", "threshold"]
    assert again[1].dsc == found[0].dsc


@pytest.mark.parametrize("first", ["import unseg_bench.run.plan, unseg_bench.compare.build", "pass"])
def test_rooms_can_be_called_whatever_was_imported_before(first):
    code = (
        f"{first}\nimport inspect, unseg_bench as ub\n"
        "assert callable(ub.run) and callable(ub.score) and callable(ub.report)\n"
        "assert 'groups' in inspect.signature(ub.compare).parameters\n"
        "from unseg_bench.compare.settings import CompareSettings\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_comparing_loads_no_torch_and_frames_no_pandas_before_they_are_asked_for(outcomes):
    code = (
        "import sys, unseg_bench as ub\n"
        f"table = ub.compare(runs={str(outcomes[0])!r})\n"
        "assert not {'torch', 'pandas', 'nibabel'} & set(sys.modules), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_guides_code_runs_in_its_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(CODE) == 4
    names: dict[str, object] = {}
    for block in CODE:
        exec(compile(block, str(GUIDE), "exec"), names)
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "table.tex").is_file()
