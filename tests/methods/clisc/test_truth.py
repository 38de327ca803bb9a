import json
from collections import Counter

import numpy as np
import pytest
from unseg_bench_methods.clisc import truth
from unseg_bench_methods.clisc.cams import LEVELS

from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import LabelAccessError
from unseg_bench.plugins.trial import TrialContext, TrialLabels, tiny_cohort

USES = {
    truth.GATE_CAMS: {"cam": {"true_slices": True}},
    truth.CHOOSE_LEVEL: {"region": {"rule": "validation-dice"}},
    truth.CHOOSE_EPOCH: {"classifier": {"keep": "best-by-true-slices"}, "answer": "raw-cam"},
    truth.CHOOSE_CHECKPOINT: {"unet": {"keep": "best-validation-dice", "validate_every": 10}},
}
READ = {
    truth.GATE_CAMS: [f"slice labels of case-{number}" for number in range(4)],
    truth.CHOOSE_LEVEL: ["mask of held-out"],
    truth.CHOOSE_EPOCH: ["slice labels of held-out"],
    truth.CHOOSE_CHECKPOINT: ["mask of held-out"],
}


def purposes(run: TrialContext) -> set[str]:
    return {line.partition(" (")[2].rstrip(")") for line in run.labels.read}


@pytest.mark.slow
@pytest.mark.parametrize("purpose", USES)
def test_each_use_reads_what_it_says_and_nothing_else(warm, purpose: str) -> None:
    method, run = warm[0].fit(**USES[purpose])
    read = {line.partition(" (")[0] for line in run.labels.read}
    assert read == set(READ[purpose])
    assert purposes(run) == {purpose}
    before = len(run.labels.read)
    assert method.segment(warm[0].test.volume, run).shape == warm[0].test.volume.shape
    assert len(run.labels.read) == before
    assert run.labels.refused == []


@pytest.mark.parametrize("purpose", USES)
def test_access_that_grants_less_stops_each_use(warm, purpose: str) -> None:
    stage = warm[0]
    method, _ = stage.fit()
    method = type(method)(stage.options(**USES[purpose]))
    shut = TrialLabels(Supervision.NONE, {"train": stage.cases, "valid": stage.held_out})
    run = TrialContext(stage.store, shut, tiny_cohort("healthy", []), seed=0)
    with pytest.raises(LabelAccessError):
        method.fit(tiny_cohort("train", stage.cases), tiny_cohort("valid", stage.held_out), run)
    assert shut.read == []


@pytest.mark.slow
def test_all_four_together_read_under_four_purposes(warm) -> None:
    everything = {group: values for use in USES.values() for group, values in use.items() if group != "answer"}
    _, run = warm[0].fit(**{**everything, "unet": {**USES[truth.CHOOSE_CHECKPOINT]["unet"], "foreground_prior": 0.5}})
    assert purposes(run) == set(USES)
    assert Counter(line.split(" ")[0] for line in run.labels.read)["mask"] >= 2


def test_slices_without_tumour_have_no_cam(warm) -> None:
    stage = warm[0]
    _, run = stage.fit(answer="amda-cam", cam={"true_slices": True})
    gated = stage.result(run, "layer-cam")
    shown = 0
    for case in stage.cases:
        cam = gated.array(case.volume.case_id)
        assert not cam[:, :, ~case.reference.any(axis=(0, 1))].any()
        shown += int(cam.any(axis=(0, 1)).sum())
    assert shown > 0


def test_the_level_is_the_best_of_all_by_brute_force(warm) -> None:
    stage = warm[0]
    _, run = stage.fit(answer="raw-cam", region={"rule": "validation-dice"})
    chosen = json.loads(stage.result(run, "cam-level").path("level.json").read_text())
    cam = np.asarray(stage.result(run, "layer-cam").array("held-out"), np.float32)
    (case,) = stage.held_out
    dice = [
        2 * ((cam > level) & case.reference).sum() / ((cam > level).sum() + case.reference.sum()) for level in LEVELS
    ]
    assert list(LEVELS) == pytest.approx([0.05 * step for step in range(1, 17)])
    assert chosen["level"] == LEVELS[int(np.argmax(dice))]
    assert list(chosen["dice"].values()) == pytest.approx(dice)


def test_an_epoch_is_kept_by_true_slices(warm) -> None:
    stage = warm[0]
    _, run = stage.fit(answer="raw-cam", classifier={"keep": "best-by-true-slices", "epochs": 3})
    told = json.loads(stage.result(run, "classifier").path("training.json").read_text())
    an_epoch = told["steps"] // 3
    assert told["kept_step"] in {an_epoch, 2 * an_epoch, 3 * an_epoch}


def test_slices_keep_their_height_on_another_grid() -> None:
    slices = np.zeros(10, bool)
    slices[[0, 5, 9]] = True
    assert np.flatnonzero(truth.slices_at(slices, 10)).tolist() == [0, 5, 9]
    assert np.flatnonzero(truth.slices_at(slices, 5)).tolist() == [0, 2, 4]
    assert np.flatnonzero(truth.slices_at(slices, 20)).tolist() == [1, 11, 19]
    assert truth.TrueSlices({"a": slices}).digest != truth.TrueSlices({"a": ~slices}).digest
