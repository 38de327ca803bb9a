"""Which run folders a comparison is made of."""

import os
from pathlib import Path

import pytest

from unseg_bench.compare.compare import compare
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

    def put(method, digest, dsc=0.5, *, seed=0, options=None, **record):
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
                "settings": {"set": options or {}, "limit": None},
                "scoring_rules": SCORING_RULES,
                "started": f"2026-01-01T00:00:{count:02d}",
                "cases": ["p00", "p01"],
                **facts,
            }
        )
        write_scores(run.scores, make_run(method, [dsc, dsc + 0.1]).scores)
        return path.name

    return put


RUNS = Path("runs")


def labels(selectors=()):
    return [(run.label, run.seed) for run in collect(RUNS, selectors)]


def test_the_newest_run_of_each_method_with_all_its_seeds(add):
    add("clisc", "a1")
    add("threshold", "b2")
    add("clisc", "c3", preset="paper")
    add("clisc", "c3", seed=1, preset="paper")
    assert labels() == [("clisc", 0), ("clisc", 1), ("threshold", 0)]
    assert [run.preset for run in collect(RUNS)] == ["paper", "paper", "demo"]
    assert [run.is_floor for run in collect(RUNS)] == [False, False, True]


def test_only_the_newest_runs_data(add):
    add("clisc", "a1")
    add("threshold", "b2", dataset="folder")
    add("threshold", "b3", settings={"set": {}, "limit": 2}, dataset="folder")
    add("sam", "c3", dataset="folder")
    assert labels() == [("sam", 0), ("threshold", 0)]
    assert {run.dataset for run in collect(RUNS)} == {"folder"}
    assert all(run.evidence for run in collect(RUNS))


def test_runs_that_are_not_complete_are_left_out_by_default(add):
    add("clisc", "a1")
    add("threshold", "b2", state="failed")
    assert labels() == [("clisc", 0)]
    with pytest.raises(ScoreError, match=r"not complete .'failed'."):
        collect(RUNS, ["runs/phantom/threshold-demo-seed0-b2"])


def test_options_are_in_the_label_and_in_the_record(add):
    names = [add("clisc", f"a{alpha}", options={"amda.alpha": alpha, "cam.top": 0.3}) for alpha in (5, 10)]
    assert labels(names) == [("clisc amda.alpha=5", 0), ("clisc amda.alpha=10", 0)]
    run = collect(RUNS, names)[0]
    assert run.options == {"amda.alpha": 5, "cam.top": 0.3}
    assert run.folder == RUNS / "phantom" / names[0]
    assert [row.label for row in compare(collect(RUNS, names)).rows] == ["clisc amda.alpha=5", "clisc amda.alpha=10"]


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
    assert [run.label for run in collect(Path(), ["phantom"])] == ["clisc", "threshold"]
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
    with pytest.raises(ScoreError, match=r"no complete run or method 'clsic'. Did you mean 'clisc'"):
        collect(RUNS, ["clsic"])


def test_labels_can_be_given_and_a_run_can_stand_in_two_rows(add):
    plain, other = (RunFolder(RUNS / "phantom" / add("clisc", name, dsc)) for name, dsc in (("a1", 0.5), ("b2", 0.6)))
    second = RunFolder(RUNS / "phantom" / add("clisc", "a1", seed=1))
    runs = collect_labelled({"Ours": [plain, second], "without": [other], "again": [plain]})
    assert [(run.label, run.seed) for run in runs] == [("Ours", 0), ("Ours", 1), ("without", 0), ("again", 0)]
    comparison = compare(runs)
    assert comparison.labels == ("Ours", "without", "again")
    assert [row.cells["dsc"].mean for row in comparison.rows] == pytest.approx([0.55, 0.65, 0.55])


def test_a_run_without_scores_has_no_row(add):
    name = add("clisc", "a1", state="predicted")
    with pytest.raises(ScoreError, match=r"not complete \('predicted'\)"):
        collect_labelled({"Ours": [RunFolder(RUNS / "phantom" / name)]})
