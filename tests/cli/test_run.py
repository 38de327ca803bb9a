"""`ubench run`, from a file with a method and a folder with images to a table."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ubench


def test_a_run_is_scored_and_says_where_things_are(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    result = ubench("run", tiny, *data)
    assert result.code == 0
    scores = next(Path().glob("runs/folder/tiny-*/scores.csv"))
    assert str(scores) in result.out
    assert "ubench compare --by-size" in result.out
    assert [line.split()[0] for line in result.err.splitlines() if "done" in line] == [
        "prepare",
        "levels",
        "segment",
        "score",
    ]


def test_a_complete_run_is_shown_at_once(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    first = ubench("run", tiny, *data, "--json").json["runs"][0]
    again = ubench("run", tiny, *data, "--json")
    assert again.json["runs"][0] == first
    assert "complete already" in again.err
    assert "segment" not in again.err


def test_json_is_all_that_stdout_gets(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    run = ubench("run", tiny, "threshold", *data, "--seed", "0,3", "--json").json["runs"]
    assert [(one["method"], one["seed"]) for one in run] == [
        ("tiny", 0),
        ("tiny", 3),
        ("threshold", 0),
        ("threshold", 3),
    ]
    assert all(0 < one["dsc"] <= 1 and one["cases"] == 2 and one["state"] == "complete" for one in run)


@pytest.mark.slow
def test_another_seed_takes_unseeded_images_from_the_store_and_force_computes_again(
    ubench: Ubench, tiny: Path, data: list[str]
) -> None:
    ubench("run", tiny, *data)
    forced = ubench("run", tiny, *data, "--force")
    assert "levels done" in forced.err
    ubench("run", tiny, *data, "--limit", 1)
    assert "levels kept from before" in ubench("run", tiny, *data, "--limit", 1, "--part", "train").err


def test_dry_run_computes_nothing(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    result = ubench("run", tiny, *data, "--set", "level=1.25", "--dry-run")
    assert "level = 1.25" in result.out
    assert "2 cases to segment" in result.out
    assert not Path("runs").exists()
    assert ubench("run", tiny, *data, "--dry-run", "--json").json["runs"][0]["state"] == "absent"


@pytest.mark.parametrize("name", ["settings.yaml", "settings.toml", "settings.json"])
def test_the_command_line_comes_before_the_file(ubench: Ubench, tiny: Path, data: list[str], name: str) -> None:
    texts = {
        "settings.yaml": "methods: [METHOD]\npreset: low\nset: {level: 3.0, fail: false}\nlimit: 1\n",
        "settings.toml": 'methods = ["METHOD"]\npreset = "low"\nlimit = 1\nset = {level = 3.0, fail = false}\n',
        "settings.json": '{"methods": ["METHOD"], "preset": "low", "limit": 1, "set": {"level": 3.0, "fail": false}}',
    }
    Path(name).write_text(texts[name].replace("METHOD", str(tiny)), encoding="utf-8")
    plan = ubench("run", *data, "--config", name, "--set", "level=4", "--json", "--dry-run").json["runs"][0]
    assert plan["options"] == {"level": 4.0, "fail": False}
    assert (plan["preset"], plan["to_segment"]) == ("low", 1)


def test_run_json_is_a_settings_file(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    first = ubench("run", tiny, *data, "--set", "level=1.5", "--json").json["runs"][0]
    again = ubench("run", "--config", f"{first['run']}/run.json", "--json")
    assert again.json["runs"][0]["run"] == first["run"]
    assert "complete already" in again.err


def test_another_data_set_drops_the_options_of_the_file_s(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    Path("s.json").write_text(
        json.dumps({"methods": [str(tiny)], "dataset": "folder", "dataset_options": {"data": "x"}})
    )
    plan = ubench("run", "--config", "s.json", "--dataset", "phantom", "--dry-run", "--json").json["runs"][0]
    assert plan["dataset"] == "phantom"


def test_one_run_fails_and_the_others_go_on(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    result = ubench("run", tiny, "threshold", *data, "--set", "fail=true", "--json")
    failed, done = result.json["runs"]
    assert (failed["state"], failed["dsc"], failed["error"]) == ("failed", None, "tiny: told to fail")
    assert done["state"] == "complete"
    assert "Error: tiny: told to fail" in result.err
    assert result.code == 1


def test_without_references_nothing_is_scored(ubench: Ubench, cohort: Path) -> None:
    result = ubench("run", "threshold", "--data", cohort, "--image", "*/flair.nii.gz", "--split", "all-test")
    assert result.code == 0
    assert "not scored" in result.out
    assert "no reference masks" in result.err
    assert len(list(Path().glob("runs/folder/*/predictions/*.nii.gz"))) == 5


def test_ctrl_c_says_that_the_same_command_goes_on(
    ubench: Ubench, tiny: Path, data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from unseg_bench.console.reporters import PlainReporter

    def interrupt(self: PlainReporter, stage: str) -> None:
        if stage == "segment":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(PlainReporter, "stage_begins", interrupt)
        stopped = ubench("run", tiny, *data)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] == "stopped; the same command goes on where it stood"
    again = ubench("run", tiny, *data)
    assert again.code == 0
    assert "levels kept from before" in again.err
