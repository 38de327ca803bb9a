"""The preset 'reference-code': what `train/run.sh` of HiLab-git/CLISC at b9d22c1 does, to the end."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from unseg_bench_methods.clisc import chain, self_training, truth
from unseg_bench_methods.clisc.method import Clisc
from unseg_bench_methods.clisc.options import FilterOptions, SamStageOptions
from unseg_bench_methods.clisc.presets import REFERENCE_CODE
from unseg_bench_methods.clisc.pseudo_labels import prompts_of

import unseg_bench as ub
from unseg_bench.blocks.prompts import FOREGROUND
from unseg_bench.blocks.standardise import whole_crop_volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.trial import tiny_cohort

MINIATURE = {
    "spacing_mm": 4,
    # The full-size pictures are near black too; the miniature CLIP calls all of those normal.
    "clip.picture": "eight-bit",
    "clip.model": "miniature",
    "clip.pretrained": "miniature",
    "clip.scaling": "volume",
    "clip.min_brain_share": 0.1,
    "classifier.network": "small-resnet",
    "classifier.weights": None,
    "classifier.width": 8,
    "classifier.image_size": 48,
    "classifier.epochs": 6,
    "classifier.batch": 16,
    "classifier.learning_rate": 0.003,
    "cam.layer": "layer1",
    "sam.model": "miniature",
    "sam.weights": "miniature-sam",
    "unet.channels": [4, 8, 16],
    "unet.patch": [32, 32, 32],
    "unet.steps": 40,
    "unet.validate_every": 10,
}


def merged(*many: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for one in many:
        for name, value in one.items():
            result[name] = {**result.get(name, {}), **value} if isinstance(value, dict) else value
    return result


def test_the_numbers_of_the_script() -> None:
    o = preset_options(Clisc, "reference-code").model_dump()
    assert {name: o["classifier"][name] for name in ("epochs", "batch", "learning_rate", "schedule")} == {
        "epochs": 400,
        "batch": 8,
        "learning_rate": 1e-4,
        "schedule": "step",
    }
    assert (o["unet"]["epochs"], o["unet"]["batch"], o["unet"]["patch"]) == (400, 2, (128, 128, 128))
    assert (o["amda"]["alpha"], o["s3f"]["beta"], o["rounds"]) == (20.0, 20.0, 2)
    assert (o["prompts"]["dilation_px"], o["s3f"]["dilation_px"]) == (10, 0)
    assert o["sam"]["model"] == "vit_b"


@pytest.mark.slow
def test_it_runs_to_the_end_with_the_miniature_pair(tmp_path) -> None:
    cohort = {"train": 8, "valid": 2, "test": 2}
    found = ub.run("clisc", preset="reference-code", dataset_options=cohort, options=MINIATURE, runs=tmp_path)
    assert found.failed == []
    assert len(found[0].scores) == 2


@pytest.mark.slow
def test_its_steps_on_tiny_cases(fresh, names: Callable[..., list[str]], dice: Callable[..., float]) -> None:
    small = fresh.options().model_dump(include={"classifier", "region", "unet", "inference"}, exclude_unset=True)
    groups = merged(REFERENCE_CODE, small, {"unet": {"orientation": "sagittal-turns", "patch": (20, 24, 24)}})
    for group in ("classifier", "unet"):
        groups[group] |= {name: value for name, value in REFERENCE_CODE[group].items() if name in {"values", "keep"}}
    # These tumours are so bright that hiding the upper fifth of the greys leaves nothing of them to learn.
    groups["amda"] |= {"alpha": 2}
    groups["classifier"] |= {"epochs": 20}
    groups["unet"] |= {"validate_every": 10}
    method, run = fresh.fit(**groups)
    assert names(run)[:2] == ["whole-crop", "clip-probabilities"]
    purposes = {line.partition(" (")[2].rstrip(")") for line in run.labels.read}
    assert purposes == {truth.GATE_CAMS, truth.CHOOSE_LEVEL, truth.CHOOSE_EPOCH, truth.CHOOSE_CHECKPOINT}
    found = [
        dice(fresh.result(run, "unet-predictions").array(case.volume.case_id), case.reference) for case in fresh.cases
    ]
    assert float(np.mean(found)) > 0.3
    assert method.segment(fresh.test.volume, run).shape == fresh.test.volume.shape
    assert method.explain(fresh.test.volume, run).steps


def test_every_slice_has_a_map_also_without_a_label(fresh) -> None:
    method, run = fresh.fit(answer="amda-cam", cam={"slices": "classifier"})
    name = fresh.cases[0].volume.case_id
    labels = np.array(fresh.result(run, "slice-labels").array(name))
    everything = np.array(fresh.result(run, "layer-cam").array(name))
    shown = everything.any(axis=(0, 1))
    assert shown.any()
    labels[shown] = -1
    labels[np.flatnonzero(~shown)[0]] = 1
    others = {case.volume.case_id: np.full(case.volume.shape[2], -1, np.int8) for case in fresh.cases}
    unlabelled = fresh.given({**others, name: labels})
    again = chain.Chain(method.options, run, chain.Models(method.options, run)).map(
        tiny_cohort("train", fresh.cases), unlabelled, fresh.result(run, "classifier")
    )
    np.testing.assert_array_equal(np.array(again.array(name)), everything)


def test_points_are_drawn_on_the_slice_before_equalisation(fresh) -> None:
    case = fresh.cases[0]
    volume = whole_crop_volume(case.volume)
    asked = {"kind": "both", "points": "authors-code", "dilation_px": 10}
    for equalise in (True, False):
        options = SamStageOptions.model_validate({"prompts": asked, "sam": {"equalise": equalise}})
        for index, prompt in prompts_of(volume, case.reference, options).items():
            image, region = volume.image[:, :, index], case.reference[:, :, index]
            scaled = (image - image.min()) / (image.max() - image.min())
            product = (scaled * region).T
            bright = np.argwhere(product >= np.histogram(product, bins=10)[1][-5])
            points = prompt.points[prompt.labels == FOREGROUND]
            assert len(points) == 5
            assert points[0].tolist() == bright[0][::-1].tolist()
            assert points[1].tolist() == bright[-1][::-1].tolist()
            assert points[2].tolist() == bright[len(bright) // 2][::-1].tolist()


def test_empty_cases_are_left_out_of_both_rounds(fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = {case.volume.case_id: case.reference for case in fresh.cases}
    first = next(iter(cases))
    predictions = fresh.given({**cases, first: np.zeros_like(cases[first])})
    run = fresh.context()
    kept = run.run(
        self_training.filter_by_similarity,
        FilterOptions(beta=20.0, empty_cases="left-out"),
        cohort=tiny_cohort("train", fresh.cases),
        predictions=predictions,
        prompted=fresh.given(cases),
    )
    # Three have a prediction, and four fifths of three are two.
    assert self_training.read_filter(kept).kept == list(cases)[2:]
    assert self_training.highest_share({"a": 0.9, "b": 0.1, "c": 0.5, "d": 0.7, "e": 0.6}, 20.0) == ["a", "c", "d", "e"]

    def stop(work, options, learned, **_):
        raise RunError(f"learned from {[bool(learned[number].label.any()) for number in range(len(learned))]}")

    monkeypatch.setattr(self_training, "train_unet", stop)
    inputs = {"targets": predictions, "kept": "", "held_out": "", "masks": "", "empty_cases": "left-out"}
    cohort = tiny_cohort("train", fresh.cases)
    with pytest.raises(RunError, match=r"from \[True, True, True\]"):
        run.run(self_training.train_first, fresh.options().unet, extras={"mask_of": None}, cohort=cohort, **inputs)
