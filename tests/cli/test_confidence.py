"""Confidences as a user meets them: at the end of `run`, in `show`, in `cases`, as a table and as JSON."""

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Ubench

METHOD = '''
from unseg_bench import Method


class Sure(Method):
    """The larger what it finds, the surer it is; of some cases it says nothing."""

    name = "sure"
    look_below = 0.6

    def segment(self, volume, context):
        mask = volume.brain & (volume.image > 2)
        voxels = int(mask.sum())
        if voxels > 20:
            context.confidence(volume, voxels / (voxels + 100), {"voxels": voxels, "brain_ml": 0.5})
        return mask
'''
UNSURE = METHOD.replace('"sure"', '"unsure"').replace("look_below = 0.6", "look_below = None")


@pytest.fixture
def sure(tmp_path: Path) -> Path:
    path = tmp_path / "sure.py"
    path.write_text(METHOD, encoding="utf-8")
    return path


@pytest.fixture
def images(cohort: Path) -> list[str]:
    """All five cases, without references, all of them to segment."""
    return ["--data", str(cohort), "--image", "*/flair.nii.gz", "--split", "all-test"]


@pytest.fixture
def unscored(ubench: Ubench, sure: Path, images: list[str]) -> Result:
    return ubench("run", sure, *images)


def folder_of(ubench: Ubench) -> Path:
    return Path(ubench("runs", "--json").json[0]["run"])


def test_a_run_without_references_ends_with_the_cases_to_look_at(ubench: Ubench, unscored: Result) -> None:
    assert unscored.code == 0
    assert "Look at these 3 of 5 cases, whose confidence is below 0.60: case-0, case-1, case-2\n" in unscored.out, (
        unscored.out
    )


def test_several_runs_say_whose_cases_are_meant_and_others_say_nothing(
    ubench: Ubench, sure: Path, images: list[str]
) -> None:
    done = ubench("run", sure, "threshold", *images)
    lines = [line for line in done.out.splitlines() if "confidence" in line or "Look" in line]
    assert lines == [
        "sure (default), seed 0: Look at these 3 of 5 cases, whose confidence is below 0.60: case-0, case-1, case-2"
    ]


def test_a_long_list_is_cut_and_the_rest_is_one_command_away(
    ubench: Ubench, sure: Path, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unseg_bench.cli.summary.MOST_NAMED", 2)
    lines = ubench("run", sure, *images).out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Look at"))
    assert lines[at].endswith("below 0.60: case-0, case-1 and 1 more")
    run = lines[at + 1].removeprefix("all     ubench show ")
    assert "case-0, case-1, case-2\n" in ubench("show", run).out


def test_show_has_the_range_the_list_and_the_table(ubench: Ubench, unscored: Result) -> None:
    run = folder_of(ubench)
    shown = ubench("show", run).out
    stated = json.loads((run / "run.json").read_text())["confidences"]
    values = sorted(one["value"] for one in stated.values())
    assert f"confidence  {values[0]:.2f} to {values[-1]:.2f}, stated for 5 cases\n" in shown
    assert "look        Look at these 3 of 5 cases, whose confidence is below 0.60: case-0, case-1, case-2\n" in shown
    assert "table confidence: 5 rows, the first 3 of them (all: --table confidence)\n" in shown
    whole = ubench("show", run, "--table", "confidence").out.splitlines()
    assert whole[0].split() == ["case", "confidence", "brain_ml", "voxels", "look"]
    assert [line.split()[0] for line in whole[1:]] == [f"case-{number}" for number in range(5)]
    told = ubench("show", run, "--json").json
    assert told["look_at"] == ["case-0", "case-1", "case-2"]
    assert told["look_below"] == 0.6
    assert told["confidences"] == stated
    assert "confidence" in told["tables"]


def test_the_table_is_the_records_to_the_last_bit(ubench: Ubench, unscored: Result) -> None:
    run = folder_of(ubench)
    stated = json.loads((run / "run.json").read_text())["confidences"]
    with (run / "tables" / "confidence.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["case"]: float(row["confidence"]) for row in rows} == {
        case: one["value"] for case, one in stated.items()
    }
    assert {row["case"]: float(row["voxels"]) for row in rows} == {
        case: one["parts"]["voxels"] for case, one in stated.items()
    }
    assert [row["look"] for row in rows] == ["true"] * 3 + ["false"] * 2


def test_run_gives_json(ubench: Ubench, sure: Path, images: list[str]) -> None:
    (one, other) = ubench("run", sure, "threshold", *images, "--json").json["runs"]
    assert list(one["confidences"]) == [f"case-{number}" for number in range(5)]
    assert (one["look_below"], one["look_at"]) == (0.6, ["case-0", "case-1", "case-2"])
    assert (other["confidences"], other["look_below"], other["look_at"]) == ({}, None, [])


def test_cases_have_a_column_where_a_method_states_any(ubench: Ubench, sure: Path, data: list[str]) -> None:
    ubench("run", sure, "threshold", *data)
    head, *lines = ubench("cases", "sure").out.splitlines()[2:]
    assert head.split()[-2:] == ["confidence", "flags"]
    given = {one["case"]: one["confidence"] for one in ubench("cases", "sure", "--json").json["cases"]}
    assert {line.split()[0]: line.split()[-1] for line in lines} == {
        case: f"{value:.2f}" for case, value in given.items()
    }
    assert "confidence" not in ubench("cases", "threshold").out
    assert {one["confidence"] for one in ubench("cases", "threshold", "--json").json["cases"]} == {None}


def test_cases_without_a_confidence_are_named(ubench: Ubench, sure: Path, images: list[str]) -> None:
    sure.write_text(METHOD.replace("voxels > 20", "voxels > 100"), encoding="utf-8")
    done = ubench("run", sure, *images)
    run = folder_of(ubench)
    stated = json.loads((run / "run.json").read_text())["confidences"]
    lacking = [case for case in (f"case-{number}" for number in range(5)) if case not in stated]
    assert 0 < len(lacking) < 5
    line = f"No confidence was stated for {len(lacking)} of 5 cases: {', '.join(lacking)}\n"
    assert line in done.out
    assert f"look        {line}" in ubench("show", run).out
    rows = ubench("show", run, "--table", "confidence", "--json").json["rows"]
    assert [row["case"] for row in rows if row["confidence"] is None] == lacking
    assert [row["look"] for row in rows if row["confidence"] is None] == [None] * len(lacking)


def test_a_method_that_names_no_level_gives_values_and_no_list(ubench: Ubench, sure: Path, images: list[str]) -> None:
    sure.write_text(UNSURE, encoding="utf-8")
    done = ubench("run", sure, *images)
    assert "Look at" not in done.out
    run = folder_of(ubench)
    shown = ubench("show", run)
    assert "stated for 5 cases" in shown.out
    assert "Look at" not in shown.out
    rows = ubench("show", run, "--table", "confidence", "--json").json["rows"]
    assert {row["look"] for row in rows} == {None}


def test_a_case_that_failed_is_not_said_to_lack_a_confidence(ubench: Ubench, sure: Path, images: list[str]) -> None:
    sure.write_text(
        METHOD.replace(
            "        return mask", "        if voxels < 80:\n            raise ValueError('small')\n        return mask"
        )
    )
    done = ubench("run", sure, *images)
    run = folder_of(ubench)
    record = json.loads((run / "run.json").read_text())
    assert "case-0" in record["failed_cases"]
    assert set(record["confidences"]).isdisjoint(record["failed_cases"])
    assert "No confidence was stated" not in done.out
    assert f"of {5 - len(record['failed_cases'])} cases, whose confidence is below" in done.out


def test_a_run_of_an_earlier_version_is_shown_as_before(ubench: Ubench, unscored: Result) -> None:
    run = folder_of(ubench)
    record = json.loads((run / "run.json").read_text())
    del record["confidences"], record["look_below"]
    (run / "run.json").write_text(json.dumps(record))
    (run / "tables" / "confidence.csv").unlink()
    shown = ubench("show", run)
    assert shown.code == 0
    assert "confidence" not in shown.out
    assert ubench("show", run, "--json").json["look_at"] == []
    assert ubench("runs").code == 0
