"""The conformance kit over every registered plugin, and proof that each of its checks can fail."""

import re
import uuid
from typing import ClassVar

import numpy as np
import pytest
from pydantic import ConfigDict, field_serializer

from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import LabelAccessError
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.context import stage
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.plugins.method import Method, MethodOptions


def failed(results):
    return {result.name: result.detail for result in results if not result.passed}


@pytest.mark.parametrize("name", sorted(load_plugins().methods))
@pytest.mark.slow
def test_every_registered_method_passes(name):
    assert failed(check_method(load_plugins().methods[name])) == {}


class LevelOptions(MethodOptions):
    quantile: float = 0.95
    nonce: str = ""


@stage("level", seeded=False)
def learn_level(work, options, *, cohort):
    values = []
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort))
        values.append(float(np.quantile(volume.image[volume.brain], options.quantile)))
    np.save(work.folder / "level.npy", np.mean(values))


@stage("copy", seeded=False)
def copy_level(work, *, level):
    np.save(work.folder / "level.npy", level.array("level"))


class Good(Method):
    """A method as it should be; the bad ones below each spoil one thing."""

    name = "good"
    Options = LevelOptions

    def fit(self, training, validation, context):
        level = context.run(learn_level, self.options, cohort=training)
        self.level = float(context.run(copy_level, level=level).array("level"))

    def segment(self, volume, context):
        return (volume.image > self.level) & volume.brain


def test_a_good_method_passes_every_check():
    results = check_method(Good)
    assert failed(results) == {}
    assert [result.name for result in results] == [
        "declaration",
        "options",
        "segments",
        "empty brain",
        "determinism",
        "confidence",
        "input untouched",
        "supervision",
        "resumes",
        "explains",
    ]
    assert "2 stages" in results[-2].detail


def test_options_can_be_given():
    assert failed(check_method(Good, LevelOptions(quantile=0.5))) == {}
    assert "0 voxels" in {r.name: r.detail for r in check_method(Good, LevelOptions(quantile=1.0))}["segments"]


class NoName(Good):
    name = ""


class WrongSupervision(Good):
    supervision = "none"


class ModelNotOurs(Good):
    class Options(MethodOptions):
        model_config = ConfigDict(extra="allow", frozen=True)
        quantile: float = 0.95


class Forgetful(Good):
    class Options(LevelOptions):
        @field_serializer("quantile")
        def _round(self, value: float) -> float:
            return round(value, 1)


class BadPreset(Good):
    presets: ClassVar = {"paper": {"quantil": 0.9}}


class Floats(Good):
    def segment(self, volume, context):
        return super().segment(volume, context).astype(np.float32)


class Cropped(Good):
    def segment(self, volume, context):
        return super().segment(volume, context)[:30, :30, :20]


class CubesOnly(Good):
    def segment(self, volume, context):
        if volume.shape[2] < 16:
            raise ValueError("at least 16 slices are needed")
        return super().segment(volume, context)


class FullHouse(Good):
    def segment(self, volume, context):
        return volume.image >= 0 if not volume.brain.any() else super().segment(volume, context)


class NeedsBrain(Good):
    def segment(self, volume, context):
        return (volume.image > max(self.level, volume.image[volume.brain].min())) & volume.brain


class Dice(Good):
    def segment(self, volume, context):
        return super().segment(volume, context) & (np.random.default_rng().random(volume.shape) < 0.5)


@stage("gamble")
def gamble(work):
    np.save(work.folder / "level.npy", np.random.default_rng().random())


class Gambler(Good):
    def fit(self, training, validation, context):
        self.level = float(context.run(gamble).array("level"))


class Remembers(Good):
    """Lets what it saw before change what it says now."""

    def segment(self, volume, context):
        mask = super().segment(volume, context)
        self.level -= 0.2
        return mask


class WritesWherePossible(Good):
    def segment(self, volume, context):
        if volume.image.flags.writeable:
            volume.image[...] = 0
        return super().segment(volume, context)


class SmoothsInPlace(Good):
    """Opens what is read-only by force."""

    def fit(self, training, validation, context):
        for volume in training:
            volume.image.flags.writeable = True
            volume.image[volume.brain] += 1
        super().fit(training, validation, context)


class Peeks(Good):
    """Asks, and hides that it was refused."""

    def segment(self, volume, context):
        try:
            return context.labels.mask(volume.case_id, "tuning")
        except LabelAccessError:
            return super().segment(volume, context)


class PeeksAtTest(Good):
    supervision = Supervision.MASKS

    def fit(self, training, validation, context):
        super().fit(training, validation, context)
        context.labels.mask(training.case_ids[0], "loss")
        context.labels.mask("test-6", "loss")


class WantsMoreThanSlices(Good):
    supervision = Supervision.SLICE_LABELS

    def fit(self, training, validation, context):
        super().fit(training, validation, context)
        assert context.labels.slice_labels(training.case_ids[0], "classifier").any()
        context.labels.mask(validation.case_ids[0], "checkpoint")


class ByItsOptions(Good):
    """Reads what its options say, and declares that."""

    presets: ClassVar = {"check": {}, "paper": {"quantile": 0.9}}

    @property
    def supervision(self):
        return Supervision.NONE if self.options.quantile == 0.95 else Supervision.SLICE_LABELS

    def fit(self, training, validation, context):
        super().fit(training, validation, context)
        if self.options.quantile != 0.95:
            context.labels.slice_labels(training.case_ids[0], "classifier")


class WrongInOnePreset(ByItsOptions):
    @property
    def supervision(self):
        return Supervision.NONE if self.options.quantile == 0.95 else "slices"


class NeverTheSameTwice(Good):
    def fit(self, training, validation, context):
        options = LevelOptions(nonce=uuid.uuid4().hex)
        level = context.run(learn_level, options, cohort=training)
        self.level = float(context.run(copy_level, level=level).array("level"))


@stage("train")
def clumsy_train(work, *, cohort):
    steps = work.scratch / "steps.txt"
    level = float(steps.read_text()) if steps.is_file() else 1.0
    for step in range(6):
        work.progress(step, 6)
        level += 0.1
        steps.write_text(str(level))
    np.save(work.folder / "level.npy", level)


class ClumsyCheckpoint(Good):
    """Begins from the checkpoint, but does all steps again."""

    def fit(self, training, validation, context):
        self.level = float(context.run(clumsy_train, cohort=training).array("level"))


class FailsOnTheSecondFit(Good):
    def fit(self, training, validation, context):
        super().fit(training, validation, context)
        marker = context.run(learn_level, self.options, cohort=training).folder / "fitted"
        if marker.exists():
            raise RuntimeError("already fitted")
        marker.touch()


@pytest.mark.parametrize(
    ("method", "check", "message"),
    [
        (NoName, "declaration", "`name`"),
        (WrongSupervision, "declaration", "must be one of Supervision's values, not 'none'"),
        (ModelNotOurs, "options", "accepts unknown names"),
        (Forgetful, "options", "does not survive being written and read"),
        (BadPreset, "options", "quantil"),
        (Floats, "segments", "not float32"),
        (Cropped, "segments", r"bool array of shape \(31, 37, 29\), not bool of shape \(30, 30, 20\)"),
        (CubesOnly, "segments", r"at least 16 slices are needed \(test_conformance.py, line \d+\)"),
        (FullHouse, "empty brain", "empty mask was expected"),
        (NeedsBrain, "empty brain", "ValueError"),
        (Dice, "determinism", "when segmented again"),
        (Gambler, "determinism", "when fitted again"),
        (ClumsyCheckpoint, "determinism", "interrupted half way"),
        (Remembers, "determinism", "keep nothing between cases"),
        (WritesWherePossible, "input untouched", "segment changed the volume"),
        (SmoothsInPlace, "input untouched", "fit changed train-1"),
        (Peeks, "supervision", r"declares 'none' but asked for the mask of test-6 \(tuning\) and \d more"),
        (PeeksAtTest, "supervision", "declares 'masks' but asked for the mask of test-6"),
        (WantsMoreThanSlices, "supervision", "declares 'slice-labels' but asked for the mask of valid-4"),
        (WrongInOnePreset, "supervision", "with the preset 'paper', `supervision` must be one of .*, not 'slices'"),
        (NeverTheSameTwice, "resumes", "stages when undisturbed"),
        (FailsOnTheSecondFit, "resumes", "already fitted"),
    ],
)
def test_a_bad_method_is_caught(method, check, message):
    broken = failed(check_method(method))
    assert check in broken
    assert re.search(message, broken[check]), broken


def test_bad_methods_are_caught_by_that_check_alone():
    """A check that fails for everything would prove nothing."""
    for method, check in ((FullHouse, "empty brain"), (Gambler, "determinism"), (Peeks, "supervision")):
        assert set(failed(check_method(method))) == {check}


class HandsOver(Good):
    def segment(self, volume, context):
        context.keep_map(volume, volume.image)
        context.alternative(volume, "brain", volume.brain)
        return super().segment(volume, context)


def test_maps_and_alternatives_may_be_handed_over():
    assert failed(check_method(HandsOver)) == {}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda context, volume: context.keep_map(volume, volume.image[1:]), "float array of shape"),
        (lambda context, volume: context.alternative(volume, "../up", volume.brain), "does not start with"),
        (lambda context, volume: context.alternative(volume, "map", volume.image), "bool array of shape"),
    ],
)
def test_what_could_not_be_handed_over_in_a_run_is_caught(spoil, message):
    class Spoilt(HandsOver):
        def segment(self, volume, context):
            spoil(context, volume)
            return super().segment(volume, context)

    assert message in failed(check_method(Spoilt))["segments"]


def test_handing_over_while_learning_is_caught():
    class Early(HandsOver):
        def fit(self, training, validation, context):
            super().fit(training, validation, context)
            for volume in training:
                self.segment(volume, context)

    assert "inside `segment`" in failed(check_method(Early))["segments"]


def test_what_is_declared_is_granted():
    class Supervised(Good):
        supervision = Supervision.MASKS

        def fit(self, training, validation, context):
            super().fit(training, validation, context)
            masks = [context.labels.mask(case_id, "loss") for case_id in training.case_ids]
            assert all(mask.any() for mask in masks)

    results = {result.name: result for result in check_method(Supervised)}
    assert results["supervision"].passed
    assert results["supervision"].detail == "read 3 labels, first the mask of train-1 (loss)"


def test_supervision_may_depend_on_options():
    for quantile, level, read in ((0.95, "none", "read no label"), (0.9, "slice-labels", "read 1 labels")):
        results = check_method(ByItsOptions, LevelOptions(quantile=quantile))
        assert failed(results) == {}
        detail = {result.name: result.detail for result in results}
        assert detail["supervision"].startswith(read)
        assert ByItsOptions(LevelOptions(quantile=quantile)).supervision == level


def test_nothing_is_tried_with_options_that_do_not_hold():
    broken = failed(check_method(BadPreset))
    assert broken["segments"] == "not tried: see above"
    assert len(broken) == 9
