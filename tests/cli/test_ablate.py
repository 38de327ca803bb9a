"""`ubench ablate`: a study's runs are planned together, share their stages, and stand in one table by their names."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Ubench

ROWS = ["lower", "higher start", "no shift", "shrunk", "Ours"]


def stages(folder: str) -> list[dict[str, object]]:
    lines = (json.loads(line) for line in Path(folder, "log.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == "stage"]


@pytest.fixture
def data(data: list[str]) -> list[str]:
    """In this process, which takes less time; one test is sealed."""
    return [*data, "--sealed", "off", "--device", "cpu"]


@pytest.fixture
def study(ubench: Ubench, studied: None, data: list[str]) -> Result:
    return ubench("ablate", "studied", *data, "--json")


def test_rows_have_the_study_s_names_in_its_order_and_the_numbers_of_their_runs(study: Result) -> None:
    assert study.code == 0
    told = study.json
    assert (told["study"], told["title"]) == ("steps", "What each step brings")
    assert [row["label"] for row in told["rows"]] == ROWS
    assert [row["label"] for row in told["comparison"]["rows"]] == ROWS
    for row, shown in zip(told["rows"], told["comparison"]["rows"], strict=True):
        assert shown["cells"]["dsc"]["mean"] == pytest.approx(row["runs"][0]["dsc"])


def test_equal_rows_are_one_run_and_each_stage_is_computed_once(study: Result) -> None:
    runs = [row["runs"][0]["run"] for row in study.json["rows"]]
    assert runs[ROWS.index("no shift")] == runs[ROWS.index("Ours")]
    assert len(set(runs)) == 4
    asked = [line for run in set(runs) for line in stages(run)]
    computed = Counter((line["stage"], line["digest"]) for line in asked if not line["cached"])
    assert set(computed.values()) == {1}
    assert set(computed) == {(line["stage"], line["digest"]) for line in asked}
    assert Counter(stage for stage, _ in computed) == {"start": 2, "shift": 3}
    assert len(asked) == 8


def test_force_makes_a_shared_stage_again_once(ubench: Ubench, study: Result, data: list[str]) -> None:
    ubench("ablate", "studied", *data, "--force")
    runs = {row["runs"][0]["run"] for row in study.json["rows"]}
    computed = Counter((line["stage"], line["digest"]) for run in runs for line in stages(run) if not line["cached"])
    assert set(computed.values()) == {2}, "once by the first call, once by the second"


@pytest.mark.slow
def test_sealed_runs_share_too(ubench: Ubench, studied: None, data: list[str]) -> None:
    told = ubench("ablate", "studied", "--study", "other", *data, "--sealed", "required", "--json").json
    runs = [row["runs"][0]["run"] for row in told["rows"]]
    assert {row["label_free"] for row in told["comparison"]["rows"]} == {"yes (sealed)"}
    computed = Counter(line["stage"] for run in runs for line in stages(run) if not line["cached"])
    assert computed == {"start": 1, "shift": 2}
    work = ubench("ablate", "studied", *data, "--sealed", "auto", "--dry-run", "--json").json["work"]
    kept = {task["stage"] for task in work["stages"] if task["cached"]}
    assert kept == {"start", "shift"}


def test_a_second_study_takes_runs_of_the_first(ubench: Ubench, study: Result, data: list[str]) -> None:
    told = ubench("ablate", "studied", "--study", "other", *data, "--json").json
    assert told["rows"][0]["runs"][0]["run"] == study.json["rows"][-1]["runs"][0]["run"]
    computed = [line["stage"] for line in stages(told["rows"][1]["runs"][0]["run"]) if not line["cached"]]
    assert computed == ["shift"]


def test_the_table_is_printed_with_differences_and_written(ubench: Ubench, study: Result, data: list[str]) -> None:
    shown = ubench("ablate", "studied", *data, "--out", "study.md", "--out", "study.json")
    lines = shown.out.splitlines()
    assert lines[1] == "What each step brings"
    places = [next(i for i, line in enumerate(lines) if line.startswith(row)) for row in ROWS]
    assert places == sorted(places)
    differences = shown.out.partition("Mean difference to 'Ours'")[2]
    assert [line.split("  ")[0] for line in differences.splitlines()[3:7]] == ROWS[:-1]
    dsc = {row["label"]: row["cells"]["dsc"]["mean"] for row in study.json["comparison"]["rows"]}
    assert f"{100 * (dsc['shrunk'] - dsc['Ours']):+.2f}" in differences
    assert "no shift" in Path("study.md").read_text()
    assert len(json.loads(Path("study.json").read_text())["rows"]) == 5
    assert shown.err.count("complete already") == 4


def test_set_and_seeds_hold_for_every_row(ubench: Ubench, studied: None, data: list[str]) -> None:
    told = ubench(
        "ablate", "studied", *data, "--set", "start.level=1.5", "--seed", "0,1", "--study", "other", "--json"
    ).json
    for row in told["rows"]:
        assert [run["seed"] for run in row["runs"]] == [0, 1]
        for run in row["runs"]:
            record = json.loads(Path(run["run"], "run.json").read_text())
            assert record["settings"]["set"]["start.level"] == 1.5
    assert [row["seeds"] for row in told["comparison"]["rows"]] == [[0, 1], [0, 1]]


def test_a_dry_run_lists_stages_once_and_estimates_from_earlier_runs(
    ubench: Ubench, studied: None, data: list[str]
) -> None:
    before = ubench("ablate", "studied", *data, "--dry-run", "--json").json
    assert [row["label"] for row in before["variations"][0]["rows"]] == ROWS
    assert len(before["runs"]) == 4
    work = before["work"]
    assert Counter(task["stage"] for task in work["stages"]) == {"start": 2, "shift": 3}
    assert not any(task["cached"] for task in work["stages"])
    assert {task["seconds"] for task in work["stages"]} == {None}
    assert [task["cases"] for task in work["segment"]] == [2] * 4
    assert not Path("runs").exists()

    ran = ubench("run", "studied", *data, "--json").json["runs"][0]["run"]
    after = ubench("ablate", "studied", *data, "--dry-run", "--json").json["work"]
    kept = {(task["stage"], task["digest"]) for task in after["stages"] if task["cached"]}
    assert kept == {(line["stage"], line["digest"]) for line in stages(ran)}
    assert all(task["seconds"] is not None for task in after["stages"])
    told = {(task["stage"], task["digest"]) for task in after["stages"]}

    done = ubench("ablate", "studied", *data, "--json").json
    real = {(line["stage"], line["digest"]) for row in done["rows"] for line in stages(row["runs"][0]["run"])}
    assert told <= real, "the dry run names the very results that the runs have"
    text = ubench("ablate", "studied", *data, "--dry-run").out
    assert "4 runs, nothing to compute; nothing was computed (--dry-run)" in text


def test_a_failing_row_does_not_stop_the_others(ubench: Ubench, studied: None, data: list[str]) -> None:
    Path("fails.py").write_text(
        "from unseg_bench import Method, MethodOptions\n"
        "from unseg_bench.plugins.method import Study\n"
        "class O(MethodOptions):\n"
        "    fail: bool = False\n"
        "class Fails(Method):\n"
        "    name, Options = 'fails', O\n"
        "    studies = {'s': Study('T', {'bad': {'fail': True}, 'good': {}})}\n"
        "    def segment(self, volume, context):\n"
        "        if self.options.fail:\n"
        "            raise ValueError('told to')\n"
        "        return volume.brain\n"
    )
    shown = ubench("ablate", "./fails.py", *data)
    assert shown.code == 1
    assert "without scores: bad (seed 0): " in shown.err
    assert re.search(r"^bad failed .* – 2m", shown.out, re.MULTILINE)
    assert "no scores, so no means: bad (seed 0): " in " ".join(shown.out.split())
    assert re.search(r"^good .*±", shown.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["threshold"], "threshold names no studies; these have some: "),
        (["studied", "--study", "stepz"], "--study stepz: studied has no such study. Did you mean 'steps'?"),
        (["studied", "--set", "lvl=2"], "--set lvl: studied has no such option."),
        (["studied", "--out", "x.doc"], "x.doc: what kind of file is this?"),
    ],
)
def test_bad_input(ubench: Ubench, studied: None, error_line, arguments: list[str], said: str) -> None:
    assert said in error_line(ubench("ablate", *arguments))


def test_a_row_that_names_no_option_is_told(ubench: Ubench, error_line) -> None:
    Path("wrong.py").write_text(
        "from unseg_bench import Method, MethodOptions\n"
        "from unseg_bench.plugins.method import Study\n"
        "class O(MethodOptions):\n"
        "    level: float = 1.0\n"
        "class Wrong(Method):\n"
        "    name, Options = 'wrong', O\n"
        "    studies = {'a': Study('A', {'x': {'levl': 1}}), 'b': Study('B', {'y': {'level': 'high'}})}\n"
        "    def segment(self, volume, context):\n"
        "        return volume.brain\n"
    )
    assert "study 'a' of wrong, row 'x': levl: wrong has no such option. Did you mean 'level'?" in error_line(
        ubench("ablate", "./wrong.py")
    )
    assert "row 'y': wrong: option 'level': input should be a valid number" in error_line(
        ubench("ablate", "./wrong.py", "--study", "b")
    )
