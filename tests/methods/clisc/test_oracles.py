"""Oracles: the truth reaches the later stage, is declared, is read for its purpose, and makes stages stale."""

from dataclasses import replace

import numpy as np
import pytest
from unseg_bench_methods.clisc import self_training, truth
from unseg_bench_methods.clisc.answers import explain
from unseg_bench_methods.clisc.method import Clisc
from unseg_bench_methods.clisc.self_training import read_filter

from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import LabelAccessError, RunError
from unseg_bench.plugins.presets import assign, preset_options
from unseg_bench.plugins.trial import TrialContext, TrialLabels, tiny_cohort

PURPOSES = {
    "labels": truth.ORACLE_LABELS,
    "regions": truth.ORACLE_REGIONS,
    "pseudo_labels": truth.ORACLE_PSEUDO_LABELS,
    "filter": truth.ORACLE_FILTER,
}
KIND = {"labels": "slice labels"}
FOLLOWING = {
    "labels": ["classifier", "layer-cam"],
    "regions": ["sam-masks", "unet"],
    "pseudo_labels": ["unet", "unet-predictions"],
    "filter": ["s3f", "unet-after-s3f"],
}
"""The first stages after the truth that are not those of the run without oracles."""
READING = {"true-slice-labels", "reference-masks"}


def with_oracle(stage, name, **groups):
    return stage.fit(oracle={name: True}, **groups)


@pytest.mark.parametrize("name", PURPOSES)
def test_each_reads_the_training_part_for_its_purpose_and_stands_in_for_one_stage(warm, names, name) -> None:
    method, run = with_oracle(warm[0], name)
    read = set(run.labels.read)
    assert read == {f"{KIND.get(name, 'mask')} of case-{number} ({PURPOSES[name]})" for number in range(4)}
    computed = [one for one in names(run) if one not in READING]
    assert computed[: len(FOLLOWING[name])] == FOLLOWING[name]
    method.segment(warm[0].test.volume, run)
    method.explain(warm[0].test.volume, run)
    assert set(run.labels.read) == read
    assert run.labels.refused == []


@pytest.mark.parametrize("name", PURPOSES)
def test_access_that_grants_less_stops_each(warm, name) -> None:
    stage = warm[0]
    method = Clisc(stage.options(oracle={name: True}))
    shut = TrialLabels(Supervision.VALIDATION_MASKS, {"train": stage.cases, "valid": stage.held_out})
    run = TrialContext(stage.store, shut, tiny_cohort("healthy", []), seed=0)
    with pytest.raises(LabelAccessError):
        method.fit(tiny_cohort("train", stage.cases), tiny_cohort("valid", stage.held_out), run)
    assert shut.read == []


def test_true_labels_are_those_of_the_reference_and_what_clip_leaves_out_stays_out(warm) -> None:
    stage = warm[0]
    _, run = with_oracle(stage, "labels", answer="raw-cam", clip={"min_brain_share": 0.3})
    found = stage.result(run, "true-slice-labels")
    left_out = 0
    for case in stage.cases:
        labels = found.array(case.volume.case_id)
        area = case.volume.brain.sum(axis=(0, 1))
        shown = area > 0.3 * area.max()
        assert np.array_equal(labels == 1, case.reference.any(axis=(0, 1)) & shown)
        assert np.array_equal(labels == -1, ~shown)
        left_out += int((~shown).sum())
    assert left_out > 0


def test_sam_is_asked_with_true_regions(warm) -> None:
    stage = warm[0]
    _, run = with_oracle(stage, "regions")
    drawn = stage.result(run, "sam-masks")
    for case in stage.cases:
        mask = drawn.array(case.volume.case_id)
        assert mask.any()
        box = case.reference.any(axis=0, keepdims=True) | np.zeros(mask.shape, bool)
        assert not mask[~box].any()


def test_the_first_unet_learns_true_masks(warm, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = warm[0]
    learned = {}

    def learn(work, options, cases, **_) -> None:
        learned.update({name: cases[place].label.tolist() for place, name in enumerate(cases.case_ids)})
        raise StopIteration

    monkeypatch.setattr(self_training, "train_unet", learn)
    with pytest.raises(RunError, match="StopIteration"):
        with_oracle(stage, "pseudo_labels", unet={"steps": 3})
    assert learned == {case.volume.case_id: case.reference.tolist() for case in stage.cases}


def test_cases_are_ranked_by_true_dice(warm, dice) -> None:
    stage = warm[0]
    method, run = with_oracle(stage, "filter")
    found = read_filter(stage.result(run, "s3f"))
    predicted = stage.result(run, "unet-predictions")
    true = {case.volume.case_id: dice(predicted.array(case.volume.case_id), case.reference) for case in stage.cases}
    assert found.similarity == pytest.approx(true)
    assert set(found.kept) == set(sorted(true, key=true.__getitem__)[1:])
    worst = min(true, key=true.__getitem__)
    (volume,) = (case.volume for case in stage.cases if case.volume.case_id == worst)
    note = explain(method.options, method._trained, volume, run).steps[7].note
    assert note.endswith(f"filtered out by its true Dice, {true[worst]:.3f}")


@pytest.mark.parametrize("name", PURPOSES)
def test_a_corrected_reference_makes_stages_stale(warm, names, name) -> None:
    stage = warm[0]
    with_oracle(stage, name)
    assert names(with_oracle(stage, name)[1]) == []
    kept, place = stage.cases, list(PURPOSES).index(name)
    corrected = kept[place].reference.copy()
    corrected[:, :, np.flatnonzero(corrected.any(axis=(0, 1)))[0]] = False
    stage.cases = [*kept[:place], replace(kept[place], reference=corrected), *kept[place + 1 :]]
    try:
        first, second, *_ = names(with_oracle(stage, name)[1])
    finally:
        stage.cases = kept
    assert first in READING
    assert second in FOLLOWING[name]


@pytest.mark.parametrize("preset", Clisc.presets)
def test_the_study_declares_row_by_row_what_is_read(preset) -> None:
    """Over a preset that reads nothing, one row reads slice labels, three read masks, and the last reads nothing."""
    declared = []
    for changes in Clisc.studies["stage-oracles"].rows.values():
        values = preset_options(Clisc, preset).model_dump()
        for name, value in changes.items():
            assign(values, name, value)
        declared.append(Clisc(Clisc.Options.model_validate(values)).supervision)
    own = Clisc(preset_options(Clisc, preset)).supervision
    labels = Supervision.SLICE_LABELS if own is Supervision.NONE else own
    assert declared == [labels, *[Supervision.MASKS] * 3, own]
    assert next(reversed(Clisc.studies["stage-oracles"].rows)) == "Ours"
