"""What a run leaves behind, what another option or seed costs, and how it fails."""

import pytest

from unseg_bench.errors import DataError, LabelAccessError, SettingsError
from unseg_bench.run.folder import RunFolder


def test_record_tells_what_was_run(toy):
    record = toy.run(set={"shift": 0.5}, seeds=[3]).record
    assert record["state"] == "predicted"
    assert (record["method"], record["preset"], record["seed"], record["dataset"]) == ("toy", "demo", 3, "toy")
    assert record["settings"]["set"] == {"shift": 0.5}
    assert record["options"] == {
        "gather.quantile": 0.9,
        "train.steps": 4,
        "train.rate": 0.1,
        "shift": 0.5,
        "fail_on": "",
        "read_masks": False,
        "hands_over": False,
        "states": False,
    }
    assert record["label_reads"] == []
    assert set(record["images"]) == {"train", "valid", "test"}
    assert str(toy.folder) not in str({name: record[name] for name in ("dataset_identity", "images", "cases")})


def test_resolved_settings_given_as_input_make_the_same_run(toy):
    first = toy.run(set={"shift": 0.5})
    toy.forget()
    settings = first.record["settings"] | {"methods": ["toy"]}
    assert toy.run(**settings).path == first.path
    assert toy.lines == []


@pytest.mark.parametrize(
    ("change", "recomputed"),
    [
        ({"set": {"shift": 1.0}}, set()),
        ({"set": {"train.rate": 0.2}}, {"train"}),
        ({"set": {"gather.quantile": 0.5}}, {"gather", "train"}),
        ({"seeds": [1]}, {"train"}),
        ({"limit": 2}, set()),
        ({"part": "valid"}, set()),
    ],
)
def test_a_change_computes_only_what_depends_on_it(toy, change, recomputed):
    first = toy.run()
    toy.forget()
    second = toy.run(**change)
    assert second.path != first.path
    assert {line.split()[0] for line in toy.lines} - {"segment"} == recomputed
    assert any(line.startswith("segment") for line in toy.lines)


def test_a_label_read_that_was_not_declared_ends_the_run(toy):
    with pytest.raises(LabelAccessError, match="curiosity"):
        toy.run(set={"read_masks": True})
    record = toy.plan(set={"read_masks": True}).folder.record
    assert record["state"] == "failed"
    assert record["label_reads"] == []


def test_one_failing_case_does_not_stop_the_others(toy):
    folder = toy.run(set={"fail_on": "case-5"})
    assert folder.prediction("case-4").is_file()
    assert folder.prediction("case-6").is_file()
    assert not folder.prediction("case-5").exists()
    assert folder.record["failed_cases"] == {"case-5": "ValueError: no luck with this one"}


def test_unknown_names_are_refused_before_anything_is_computed(toy):
    with pytest.raises(SettingsError, match=r"Did you mean 'train\.rate'"):
        toy.plan(set={"train.rat": 1})
    with pytest.raises(SettingsError, match="Did you mean 'demo'"):
        toy.plan(preset="demi")
    with pytest.raises(SettingsError, match="Did you mean 'cases'"):
        toy.plan(dataset_options={"case": 3})
    with pytest.raises(SettingsError, match="steps"):
        toy.plan(set={"train.steps": "many"})
    assert toy.lines == []


def test_a_part_without_cases_is_refused(toy):
    with pytest.raises(DataError, match="no cases"):
        toy.plan(dataset_options={"cases": 4})


def test_several_seeds_are_several_runs(toy):
    plans = toy.plans(seeds=[0, 1, 2])
    assert [plan.seed for plan in plans] == [0, 1, 2]
    assert len({plan.folder.path for plan in plans}) == 3


def test_no_temporary_file_is_left(toy):
    folder = toy.run()
    assert isinstance(folder, RunFolder)
    assert not [path for path in toy.folder.rglob("*") if ".part" in path.name]
    known = {"run.json", "predictions", "made.jsonl", "log.jsonl", "run.lock", "opened.txt"}
    assert {path.name for path in folder.path.iterdir()} == known
