"""Which run folders a comparison is made of."""

import os
from pathlib import Path

import pytest

from unseg_bench.compare.build import compare
from unseg_bench.compare.runs import collect, collect_labelled
from unseg_bench.errors import ScoreError
from unseg_bench.run.folder import RunFolder
from unseg_bench.score.record import SCORING_RULES
from unseg_bench.score.table import write_scores


@pytest.fixture
def add(tmp_path, make_run, monkeypatch):
    """Put a scored run of two cases on disk, each newer than the one before; returns its name."""
    monkeypatch.chdir(tmp_path)
    count = 0

    def put(method, digest, dsc=0.5, *, seed=0, options=None, limit=None, differs=None, **record):
        nonlocal count
        count += 1
        facts = {"preset": "demo", "dataset": "phantom", "split": "default", "part": "test"} | record
        path = Path("runs") / facts["dataset"] / f"{method}-{facts['preset']}-seed{seed}-{digest}"
        run = RunFolder(path)
        run.update(
            {
                "state": "complete",
                "method": method,
                "seed": seed,
                "floor": method == "threshold",
                "evidence": facts["dataset"] != "phantom",
                "dataset_identity": {"name": facts["dataset"]},
                "settings": {"set": options or {}, "limit": limit},
                "differs": differs or {"preset": None, "options": {}},
                "scoring_rules": SCORING_RULES,
                "started": f"2026-01-01T00:00:{count:02d}",
                "cases": ["p00", "p01"],
                **facts,
            }
        )
        write_scores(run.scores, make_run(method, [dsc, dsc + 0.1]).scores[: None if limit is None else limit])
        return path.name

    return put


RUNS = Path("runs")


def labels(selectors=()):
    return [(run.label, run.seed) for run in collect(RUNS, selectors).runs]


def notes(selectors=(), missing="refuse"):
    return list(collect(RUNS, selectors, missing).notes)


def test_the_newest_run_of_each_method_with_all_its_seeds(add):
    add("clisc", "a1")
    add("threshold", "b2")
    add("clisc", "c3", preset="paper")
    add("clisc", "c3", seed=1, preset="paper")
    assert labels() == [("clisc", 0), ("clisc", 1), ("threshold", 0)]
    assert [run.preset for run in collect(RUNS).runs] == ["paper", "paper", "demo"]
    assert [run.is_floor for run in collect(RUNS).runs] == [False, False, True]


def test_only_the_newest_runs_data(add):
    add("clisc", "a1")
    add("threshold", "b2", dataset="folder")
    add("threshold", "b3", limit=1, dataset="folder")
    add("sam", "c3", dataset="folder")
    assert labels() == [("sam", 0), ("threshold", 0)]
    assert {run.dataset for run in collect(RUNS).runs} == {"folder"}
    assert all(run.evidence for run in collect(RUNS).runs)


def test_runs_that_are_not_complete_are_left_out_by_default(add):
    add("clisc", "a1")
    add("threshold", "b2", state="failed")
    assert labels() == [("clisc", 0)]
    with pytest.raises(ScoreError, match=r"not complete .'failed'."):
        collect(RUNS, ["runs/phantom/threshold-demo-seed0-b2"])


def test_options_are_in_the_label_and_in_the_record(add):
    names = [add("clisc", f"a{alpha}", options={"amda.alpha": alpha, "cam.top": 0.3}) for alpha in (5, 10)]
    assert labels(names) == [("clisc amda.alpha=5", 0), ("clisc amda.alpha=10", 0)]
    run = collect(RUNS, names).runs[0]
    assert run.options == {"amda.alpha": 5, "cam.top": 0.3}
    assert run.folder == RUNS / "phantom" / names[0]
    assert [row.label for row in compare(collect(RUNS, names).runs).rows] == [
        "clisc amda.alpha=5",
        "clisc amda.alpha=10",
    ]


def test_another_digest_only(add):
    names = [add("clisc", "a1"), add("clisc", "b2")]
    assert labels(names) == [("clisc (a1)", 0), ("clisc (b2)", 0)]


def test_a_selector_may_be_a_folder_of_runs(add, tmp_path):
    add("clisc", "a1")
    add("clisc", "b2")
    add("threshold", "c3")
    add("sam", "d4", dataset="folder")
    assert labels(["runs/phantom"]) == [("clisc", 0), ("threshold", 0)]
    assert labels([str(tmp_path / "runs" / "phantom"), "runs/phantom/"]) == [("clisc", 0), ("threshold", 0)]
    assert labels(["runs"]) == [("sam", 0)]
    os.chdir("runs")
    assert [run.label for run in collect(Path(), ["phantom"]).runs] == ["clisc", "threshold"]
    Path("nothing").mkdir()
    with pytest.raises(ScoreError, match="nothing: no complete run in this folder"):
        collect(Path(), ["nothing"])


def test_predictions_made_elsewhere_go_by_their_name(add):
    elsewhere = {"made_elsewhere": True, "preset": "", "settings": {}}
    add("mynet", "a1", **elsewhere)
    add("mynet", "b2", seed=1, **elsewhere)
    add("clisc", "c3")
    assert labels() == [("clisc", 0), ("mynet", 0), ("mynet", 1)]


def test_nothing_fits(add):
    with pytest.raises(ScoreError, match="no complete run here"):
        collect(RUNS)
    add("clisc", "a1")
    with pytest.raises(ScoreError, match=r"no run or method 'clsic'. Did you mean 'clisc'"):
        collect(RUNS, ["clsic"])


def test_labels_can_be_given_and_a_run_can_stand_in_two_rows(add):
    plain, other = (RunFolder(RUNS / "phantom" / add("clisc", name, dsc)) for name, dsc in (("a1", 0.5), ("b2", 0.6)))
    second = RunFolder(RUNS / "phantom" / add("clisc", "a1", seed=1))
    runs = collect_labelled({"Ours": [plain, second], "without": [other], "again": [plain]})
    assert [(run.label, run.seed) for run in runs] == [("Ours", 0), ("Ours", 1), ("without", 0), ("again", 0)]
    comparison = compare(runs)
    assert comparison.labels == ("Ours", "without", "again")
    assert [row.cells["dsc"].mean for row in comparison.rows] == pytest.approx([0.55, 0.65, 0.55])


def test_a_run_without_scores_keeps_its_row_with_the_reason(add):
    name = add("clisc", "a1", state="predicted")
    good = add("threshold", "b2")
    folders = {"Ours": [RunFolder(RUNS / "phantom" / name)], "rule": [RunFolder(RUNS / "phantom" / good)]}
    runs = collect_labelled(folders)
    assert [(run.label, run.failure, len(run.scores)) for run in runs] == [
        ("Ours", "segmented, not scored", 0),
        ("rule", None, 2),
    ]
    assert [row.failure for row in compare(runs).rows] == ["segmented, not scored", None]


OTHER = {"preset": None, "options": {"cut": 2}}


def test_a_sweep_does_not_take_the_place_of_the_method(add):
    add("threshold", "a1", 0.7)
    for number in range(3):
        add("threshold", f"c{number}", 0.1, options={"cut": number}, differs={"options": {"cut": number}})
    add("clisc", "d1", preset="check", differs={"preset": "check", "options": {}})
    (clisc, threshold) = collect(RUNS).runs
    assert (clisc.label, threshold.label, threshold.scores[0].dsc) == ("clisc check", "threshold", 0.7)
    assert notes() == ["3 runs on other cases or settings left out: ubench runs"]
    assert labels(["threshold"]) == [("threshold", 0)]
    assert notes(["threshold", "clisc"]) == ["3 runs on other cases or settings left out: ubench runs"]


def test_a_smoke_test_hides_nothing(add):
    add("clisc", "a1")
    add("threshold", "b1")
    add("threshold", "b2", limit=1)
    assert labels() == [("clisc", 0), ("threshold", 0)]
    assert [len(run.scores) for run in collect(RUNS).runs] == [2, 2]
    assert notes() == ["1 run on other cases or settings left out: ubench runs"]


def test_a_smoke_test_alone_is_shown_and_says_so(add):
    add("clisc", "a1", limit=1, cases=["p00"])
    add("threshold", "b2", limit=1, cases=["p00"])
    found = compare(collect(RUNS).runs)
    assert (found.labels, found.cases) == (("clisc", "threshold"), ("p00",))
    assert any("first cases of the part only (--limit): clisc (seed 0) 1, threshold" in note for note in found.notes)


def test_an_older_run_of_the_same_settings_is_not_told(add):
    add("clisc", "a1")
    add("clisc", "b2")
    assert (labels(), notes()) == ([("clisc", 0)], [])


def test_a_run_that_lacks_cases_stands_aside_and_is_told(add):
    add("clisc", "a1", cases=["p00", "p01", "p02"], failed_cases={"p02": "ValueError"}, state="partial")
    add("threshold", "b2", cases=["p00", "p01", "p02"], missing_cases=["p02"])
    assert labels() == [("clisc", 0), ("threshold", 0)]  # all alike
    add("sam", "c3")
    assert labels() == [("sam", 0)]
    told = "which lacks 1 of 3 cases; --missing worst counts these as the worst, --missing common leaves them out"
    assert notes() == [f"left out: clisc, {told}", f"left out: threshold, {told}"]
    runs = collect(RUNS, missing="worst").runs
    assert [run.label for run in runs] == ["clisc", "sam", "threshold"]
    assert [sorted(run.planned) for run in runs] == [["p00", "p01", "p02"], ["p00", "p01"], ["p00", "p01", "p02"]]


def test_methods_without_any_scores_are_told(add):
    add("clisc", "a1")
    add("threshold", "b2", state="failed", error="no space")
    assert notes() == ["no scores, so no row: threshold (failed)"]


def test_a_named_method_that_failed_keeps_its_row(add):
    add("clisc", "a1")
    add("threshold", "b2", state="failed", error="no space")
    runs = collect(RUNS, ["clisc", "threshold"]).runs
    assert [(run.label, run.failure) for run in runs] == [("clisc", None), ("threshold", "no space")]
    add("clisc", "a1", seed=1, state="failed", error="killed")
    assert [(run.seed, run.failure) for run in collect(RUNS, ["clisc"]).runs] == [(0, None), (1, "killed")]
    assert labels() == [("clisc", 0)]


def test_other_options_are_told_of_a_row_alone(add):
    add("threshold", "a1", options={"cut": 2, "rule": "z"}, differs=OTHER)
    assert labels() == [("threshold cut=2", 0)]
    assert labels(["threshold"]) == [("threshold cut=2", 0)]
    add("threshold", "b1", options={"cut": 2, "rule": "otsu"}, differs=OTHER)
    assert labels(["runs/phantom/threshold-demo-seed0-a1", "runs/phantom/threshold-demo-seed0-b1"]) == [
        ("threshold cut=2, rule=z", 0),
        ("threshold cut=2, rule=otsu", 0),
    ]


def test_runs_of_an_earlier_version_say_nothing_of_their_options(add):
    add("threshold", "a1", differs={})
    assert (labels(), notes()) == ([("threshold", 0)], [])
