from typing import Any

import numpy as np
import pytest
from unseg_bench_methods.clisc import pseudo_labels, self_training
from unseg_bench_methods.clisc.options import FilterOptions

from unseg_bench.blocks.sam.slices import BLOCK, LazySam
from unseg_bench.data.volume import Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.trial import Interruption, TrialHost, tiny_cohort


def test_the_five_stages_in_order(warm, names) -> None:
    assert names(warm[2]) == [
        "clip-probabilities",
        "slice-labels",
        "classifier",
        "layer-cam",
        "cam-regions",
        "amda-classifier",
        "layer-cam",
        "cam-regions",
        "sam-masks",
        "unet",
        "unet-predictions",
        "sam-masks",
        "s3f",
        "unet-after-s3f",
    ]


def test_what_the_stages_find_is_the_tumour(warm, dice) -> None:
    stage, method, run = warm

    def mean_dice(name: str, nth: int) -> float:
        found = stage.result(run, name, nth)
        return float(np.mean([dice(found.array(case.volume.case_id), case.reference) for case in stage.cases]))

    assert mean_dice("cam-regions", 0) > 0.2
    assert mean_dice("sam-masks", 0) > 0.5
    assert mean_dice("unet-predictions", 0) > 0.5
    mask = method.segment(stage.test.volume, run)
    assert mask.dtype == np.bool_
    assert dice(mask, stage.test.reference) > 0.4


def test_fitting_again_computes_nothing_and_gives_the_same(warm) -> None:
    stage, method, run = warm
    again, second = stage.fit()
    assert second.finished == []
    assert np.array_equal(again.segment(stage.test.volume, second), method.segment(stage.test.volume, run))


def test_nothing_is_read_of_labels_and_the_validation_part_changes_nothing(warm, tmp_path) -> None:
    stage, _, run = warm
    assert run.labels.read == run.labels.refused == []
    stage, held_out = warm[0], warm[0].held_out
    stage.held_out = []
    try:
        assert stage.fit()[1].finished == []
    finally:
        stage.held_out = held_out


@pytest.mark.parametrize("rule", ["argmax", "confident"])
def test_the_rule_is_a_stage_of_its_own(warm, names, rule: str) -> None:
    _, run = warm[0].fit(answer="raw-cam", labels={"rule": rule})
    assert "clip-probabilities" not in names(run)


def test_another_beta_runs_only_what_comes_after(warm, names) -> None:
    stage, _, _ = warm
    _, second = stage.fit(s3f={"beta": 60.0})
    assert names(second) == ["s3f", "unet-after-s3f"]
    kept = self_training.read_filter(stage.result(second, "s3f")).kept
    assert 1 <= len(kept) <= 2


def test_rounds_go_on_from_the_round_before(warm, names) -> None:
    stage, _, _ = warm
    assert names(stage.fit(rounds=1)[1]) == []
    method, third = stage.fit(rounds=3)
    assert names(third) == ["unet-predictions", "sam-masks", "s3f", "unet-after-s3f"]
    rows: list[dict[str, Any]] = []
    third.table = lambda name, table: rows.extend(table)
    method.fit(tiny_cohort("train", stage.cases), tiny_cohort("valid", []), third)
    assert [row["round"] for row in rows] == [2] * 4 + [3] * 4
    assert all(0 <= row["similarity"] <= 1 and row["kept"] in {True, False} for row in rows)


@pytest.mark.slow
def test_a_slice_is_encoded_once_whatever_is_asked_of_it(fresh, names) -> None:
    _, run = fresh.fit()
    slices = 0
    for case in fresh.cases:
        first = fresh.result(run, "cam-regions", 1).array(case.volume.case_id)
        second = fresh.result(run, "unet-predictions").array(case.volume.case_id)
        shown = case.volume.brain.any(axis=(0, 1))
        asked = ((first | second) & case.volume.brain).any(axis=(0, 1))
        blocks = {z // BLOCK for z in np.flatnonzero(asked)}
        slices += sum(z // BLOCK in blocks for z in np.flatnonzero(shown))
    assert fresh.segmenter.encoded == slices > 10
    # Other prompts, and regions at another level, which another Q1 has: the same slices, so few are new.
    fresh.fit(prompts={"kind": "box"}, region={"level": 0.45})
    assert fresh.segmenter.encoded - slices < slices / 4


def test_masks_are_known_whether_embeddings_are_kept_or_not(warm) -> None:
    _, second = warm[0].fit(sam={"keep_embeddings": False, "batch": 3})
    assert second.finished == []


@pytest.mark.parametrize("stopped", ["sam-masks", "unet-predictions"])
def test_a_stage_that_was_killed_goes_on_with_the_next_case(fresh, monkeypatch: pytest.MonkeyPatch, stopped) -> None:
    begun: list[str] = []

    def progress(self: TrialHost, done: int, total: int, note: str = "") -> None:
        begun.append(note)
        if (done, total, running(begun)) == (2, 4, stopped):
            raise Interruption

    with monkeypatch.context() as patch:
        patch.setattr(TrialHost, "progress", progress)
        with pytest.raises(Interruption):
            fresh.fit()
    done: list[str] = []
    module, name = (
        (self_training, "segment_unet") if stopped == "unet-predictions" else (pseudo_labels, "segment_volume")
    )
    real = getattr(module, name)

    def asked(*values: Any) -> np.ndarray:
        done.append(next(value.case_id for value in values if isinstance(value, Volume)))
        return real(*values)

    monkeypatch.setattr(module, name, asked)
    _, run = fresh.fit(rounds=1) if stopped == "sam-masks" else fresh.fit()
    assert done[:2] == ["case-2", "case-3"]
    assert len(fresh.result(run, stopped).array("case-0")) > 0


def running(begun: list[str]) -> str:
    """Return the stage that reports: the last note that is a stage's name."""
    return next(note for note in reversed(begun) if not note.startswith(("case-", "loss", "sam-embeddings")))


def test_seeds_share_what_clip_said(warm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrialHost, "progress", stop_at("classifier"))
    with pytest.raises(StopIteration):
        warm[0].fit(seed=1)


def stop_at(stage: str) -> Any:
    def progress(self: TrialHost, done: int, total: int, note: str = "") -> None:
        assert note not in {"clip-probabilities", "slice-labels"}
        if note == stage:
            raise StopIteration

    return progress


@pytest.mark.parametrize("answer", ["unet", "raw-cam", "amda-cam", "sam"])
def test_an_empty_brain_has_no_tumour(warm, answer: str) -> None:
    method, run = warm[0].fit(answer=answer)
    shape = (31, 37, 29)
    empty = Volume("empty", np.zeros(shape, np.float32), np.zeros(shape, bool), (4.0, 4.0, 4.0), "00")
    assert not method.segment(empty, run).any()


@pytest.mark.parametrize(("tumour", "kind"), [(0.4, "normal"), (0.6, "tumour")])
def test_slices_that_clip_calls_alike_end_the_run(
    fresh, fake_clip, monkeypatch: pytest.MonkeyPatch, tumour: float, kind: str
) -> None:
    alike = np.array([1 - tumour, tumour], np.float32)
    monkeypatch.setattr(fake_clip, "probabilities", lambda _self, shown, _: np.tile(alike, (len(shown), 1)))
    said = rf"stage 'slice-labels': CLIP called all \d+ slices {kind} \(probability of a tumour: {tumour} to {tumour}\)"
    with pytest.raises(RunError, match=said) as error:
        fresh.fit()
    assert "argmax" not in str(error.value)
    with pytest.raises(RunError, match=r"labels\.rule=argmax, or a lower labels\.confidence"):
        fresh.fit(labels={"rule": "confident"})


def test_a_sam_that_finds_nothing_ends_the_run(fresh) -> None:
    fresh.segmenter.segment_many = lambda picture, prompts, *, choose="single": (
        np.zeros((len(prompts), *picture.shape), bool),
        np.zeros(len(prompts)),
    )
    with pytest.raises(RunError, match="stage 'sam-masks': SAM found nothing"):
        run_on_masks(fresh, [case.reference for case in fresh.cases])


def run_on_masks(stage: Any, masks: list[np.ndarray]) -> Any:
    options = stage.options()
    named = {case.volume.case_id: mask for case, mask in zip(stage.cases, masks, strict=True)}
    context = stage.context()
    return context.run(
        pseudo_labels.segment_regions,
        pseudo_labels.SamStageOptions(prompts=options.prompts, sam=options.sam.shown),
        extras={"sam": LazySam(options.sam, context), "required": True},
        cohort=tiny_cohort("train", stage.cases),
        regions=stage.given(named),
        weights="f",
    )


def test_slices_without_a_region_stay_empty_and_masks_stay_in_the_brain(fresh) -> None:
    halves = [case.reference.copy() for case in fresh.cases]
    for half in halves:
        half[:, :, : half.shape[2] // 2] = False
    found = run_on_masks(fresh, halves)
    for case, half in zip(fresh.cases, halves, strict=True):
        mask = found.array(case.volume.case_id)
        assert mask.any()
        assert not mask[:, :, ~half.any(axis=(0, 1))].any()
        assert not mask[~case.volume.brain].any()


def test_a_unet_that_predicts_nothing_ends_the_run(warm) -> None:
    with pytest.raises(RunError, match=r"stage 'unet-predictions': .* longer \(unet.steps"):
        warm[0].fit(unet={"steps": 1, "foreground_prior": 1e-30, "learning_rate": 1e-6})


def test_s3f_keeps_the_best_and_never_what_sam_denies(fresh) -> None:
    similarity = {"a": 0.9, "b": 0.1, "c": 0.5, "d": 0.7, "e": 0.6}
    assert self_training.above_percentile(similarity, 20.0) == ["a", "c", "d", "e"]
    assert self_training.above_percentile({"a": 0.0, "b": 0.2}, 1.0) == ["b"]
    assert self_training.above_percentile({"a": 0.0, "b": 0.2}, 0.0) == ["a", "b"]
    masks = {case.volume.case_id: case.reference for case in fresh.cases}
    predictions = fresh.given(masks)
    nothing = fresh.given({name: np.zeros_like(mask) for name, mask in masks.items()})
    inputs = {"cohort": tiny_cohort("train", fresh.cases), "predictions": predictions}
    run, options = fresh.context(), FilterOptions(beta=20.0, empty_cases="learned")
    with pytest.raises(RunError, match="stage 's3f': no case survives"):
        run.run(self_training.filter_by_similarity, options, prompted=nothing, **inputs)
    kept = run.run(self_training.filter_by_similarity, options, prompted=predictions, **inputs)
    found = self_training.read_filter(kept)
    assert found.kept == list(masks)
    assert found.table(2)[0] == {"round": 2, "case": "case-0", "similarity": 1.0, "kept": True}
