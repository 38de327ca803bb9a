"""`ubench compare`: options, files, and what is never loaded."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Ubench
from unseg_bench.run.folder import RunFolder
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import SCORING_RULES, CaseScore
from unseg_bench.score.table import write_scores

HEAVY = {"torch", "monai", "nibabel", "scipy", "numba", "numpy", "statsmodels", "matplotlib", "pyarrow", "PIL"}
LIST_MODULES = """
import json, sys
from unseg_bench.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, *sorted(sys.modules)]), file=sys.stderr)
"""


def write_run(folder: Path, method: str, dsc: float, *, floor: bool = False) -> None:
    """A complete run on fifteen cases whose DSC is near `dsc`."""
    scores = [
        CaseScore(
            f"case-{i:02d}",
            2.0 + i,
            2.0,
            dict(zip(BUILT_IN, (dsc - 0.01 * (i % 5) * dsc, 9 + i % 4 - 5 * dsc, 9, 9, 1, 1, 1), strict=True)),
            90.0,
        )
        for i in range(15)
    ]
    write_scores(folder / "scores.csv", scores)
    facts = {"dataset": "folder", "split": "s", "part": "test", "evidence": True, "preset": "paper", "seed": 0}
    RunFolder(folder).update(
        {
            **facts,
            "method": method,
            "floor": floor,
            "state": "complete",
            "started": "2026-01-01",
            "cases": [score.case for score in scores],
            "scoring_rules": SCORING_RULES,
        }
    )


@pytest.fixture
def made_runs(tmp_path: Path) -> Path:
    """Complete runs of three methods."""
    runs = tmp_path / "runs"
    for method, dsc in (("good", 0.9), ("threshold", 0.7), ("poor", 0.5)):
        write_run(runs / "folder" / f"{method}-paper-seed0-0123abcd", method, dsc, floor=method == "threshold")
    return runs


@pytest.fixture
def compare(ubench: Ubench, made_runs: Path) -> Callable[..., Result]:
    """Call `ubench compare` in a folder with three runs."""
    made_runs.rename("runs")
    return lambda *arguments: ubench("compare", *arguments)


def test_groups_and_their_metric(compare: Callable[..., Result]) -> None:
    assert "Tiny" not in compare().out
    assert "Tiny" in compare("--by-size").out
    assert "Size 3/3" in compare("--groups", 3).out
    assert "HD95 mm by tumour size" in compare("--by-size", "--metric", "hd95").out
    both = compare("--metric", "both").out
    assert "DSC % by tumour size" in both
    assert "HD95 mm by tumour size" in both


def test_groups_by_a_column_of_a_table(compare: Callable[..., Result]) -> None:
    Path("t.csv").write_text("id,grade\n" + "".join(f"case-{i:02d},{i % 2}\n" for i in range(15)))
    shown = compare("--group-by", "grade", "--table", "t.csv")
    assert "grade 0" in shown.out
    assert "grade 1" in shown.out
    assert compare("--group-by", "grade", "--table", "t.csv", "--json").json["grouping"] == "grade"


def test_a_method_below_the_floor_is_flagged(compare: Callable[..., Result]) -> None:
    shown = compare().out
    assert "poor †" in shown
    assert shown.splitlines()[-1] == "† below the floor threshold in mean DSC: poor"


def test_selectors(compare: Callable[..., Result]) -> None:
    for selector in ("good", "good-paper-seed0-0123abcd", "runs/folder/good-paper-seed0-0123abcd"):
        assert [row["label"] for row in compare(selector, "--json").json["rows"]] == ["good"]


def test_policies(compare: Callable[..., Result]) -> None:
    assert "under each policy on empty masks" in compare("--empty", "all").out
    assert compare("--empty", "all", "--json").json["empty"] == "diagonal"
    assert compare("--empty", "exclude", "--json").json["empty"] == "exclude"


def test_published_rows(compare: Callable[..., Result]) -> None:
    shown = compare("--published").out
    assert "published, other data" in shown
    assert "CLISC (published)" in shown
    assert "Probability that 'better beats worse'" in shown


def test_missing_cases(compare: Callable[..., Result]) -> None:
    scores = next(Path("runs").glob("*/good-*/scores.csv"))
    scores.write_text("\n".join(scores.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    assert "--missing common" in compare().err
    assert len(compare("--missing", "common", "--json").json["cases"]) == 14
    assert "m: cases without a prediction: good 1 of 15" in compare("--missing", "worst").out


def test_statistics_only_when_asked_for(compare: Callable[..., Result]) -> None:
    assert compare("--json").json["statistics"] is None
    asked = ("--stats", "--json", "--reference", "good", "--margin", 0.05, "--correction", "fdr_by")
    found = compare(*asked).json["statistics"]
    assert found["reference"] == "good"
    assert (found["settings"]["margin"], found["settings"]["correction"]) == (0.05, "fdr_by")
    shown = compare("--stats").out
    assert "sign-flip" in shown
    assert "Friedman" in shown
    claims = compare("--claims").out
    assert "What these figures carry, and what they do not" in claims
    assert "Friedman's chi-square" not in claims


def test_files(compare: Callable[..., Result]) -> None:
    names = ["t.md", "t.tex", "t.json", "t.csv", "t.challenger.csv", "t.parquet"]
    result = compare(*(word for name in names for word in ("--out", f"out/{name}")))
    assert result.code == 0
    assert result.err.splitlines() == [f"wrote out/{name}" for name in names]
    assert {path.name for path in Path("out").iterdir()} == set(names)
    written = json.loads(Path("out/t.json").read_text(encoding="utf-8"))
    assert written["statistics"]["families"]
    with Path("out/t.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 45
    assert "sign-flip" in Path("out/t.md").read_text(encoding="utf-8")


def test_json_stays_json_beside_files(compare: Callable[..., Result]) -> None:
    result = compare("--json", "-o", "t.md")
    assert result.json["statistics"] is not None
    assert result.err == "wrote t.md\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "t.xlsx"], "Known endings: .md, .tex, .html, .json, .csv, .parquet, .challenger.csv"),
        (["--out", "t"], "t: what kind of file is this?"),
        (["--group-by", "grade"], "name the file that has this column with --table FILE"),
        (["--table", "t.csv"], "name the column to group by with --group-by COLUMN"),
        (["--reference", "good"], "belongs to the statistics; add --stats, --claims or --out FILE"),
        (["--margin", "0.1"], "--margin 0.1: belongs to the statistics"),
        (["--correction", "holm"], "--correction holm: belongs to the statistics"),
        (["--stats", "--margin", "0"], "--margin 0: equivalence needs a margin above 0"),
        (["--stats", "--correction", "bonferroni"], "'bonferroni' is not one of 'holm', 'fdr_by'"),
        (["--empty", "nothing"], "'nothing' is not one of 'diagonal', 'exclude', 'zero', 'all'"),
        (["--missing", "ignore"], "'ignore' is not one of 'refuse', 'common', 'worst'"),
        (["--metric", "iou"], "--metric iou: there is no such metric. Known: dsc, hd95, hd95_max_directed"),
        (["--groups", "0"], "--groups"),
        (["--groups", "99"], "--groups 99: 1 to 12 groups can be made"),
    ],
)
def test_bad_options_are_one_line(
    compare: Callable[..., Result], error_line: Callable[[Result], str], arguments: list[str], said: str
) -> None:
    before = sorted(Path().iterdir())
    assert said in error_line(compare(*arguments))
    assert sorted(Path().iterdir()) == before


def test_an_unknown_reference_names_the_labels(
    compare: Callable[..., Result], error_line: Callable[[Result], str]
) -> None:
    assert "thresold" in error_line(compare("--stats", "--reference", "thresold"))


@pytest.mark.parametrize(
    "arguments",
    [[], ["--by-size", "--metric", "both", "--empty", "all"], ["--published"], ["--json"]],
)
def test_a_plain_table_loads_nothing_heavy(made_runs: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, "compare", "--runs", str(made_runs), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "80"},
    )
    code, *modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert "threshold" in done.stdout
    assert set(modules) & HEAVY == set()
    assert [name for name in modules if name.startswith("unseg_bench.compare.statistics.")] == [
        "unseg_bench.compare.statistics.record"
    ]
