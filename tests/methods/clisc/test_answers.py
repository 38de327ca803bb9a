import numpy as np
import pytest
from unseg_bench_methods.clisc import answers
from unseg_bench_methods.clisc.answers import explain

from unseg_bench.blocks.standardise import outside_tumour

STAGES = {
    "raw-cam": ["clip-probabilities", "slice-labels", "layer-cam", "cam-regions"],
    "amda-cam": ["layer-cam", "cam-regions"],
    "sam": ["sam-masks"],
}


@pytest.mark.slow
def test_rows_before_the_unet_share_what_they_have_in_common(warm, names) -> None:
    stage = warm[0]
    masks: dict[str, np.ndarray] = {}
    for answer, expected in STAGES.items():
        method, run = stage.fit(answer=answer)
        assert run.finished == []
        masks[answer] = method.segment(stage.test.volume, run)
        assert names(run) == expected
        assert masks[answer].shape == stage.test.volume.shape
        assert not masks[answer][~stage.test.volume.brain].any()
    method, run = stage.fit(answer="sam", prompts={"kind": "points"})
    method.segment(stage.test.volume, run)
    assert names(run) == ["sam-masks"]
    assert not np.array_equal(masks["raw-cam"], masks["sam"])


def test_an_answer_before_the_unet_trains_none(fresh, names) -> None:
    _, run = fresh.fit(answer="raw-cam")
    assert names(run) == ["clip-probabilities", "slice-labels", "classifier"]
    _, run = fresh.fit(answer="sam")
    assert names(run) == ["layer-cam", "cam-regions", "amda-classifier"]


@pytest.mark.parametrize(
    ("answer", "titles"),
    [
        ("raw-cam", ["CLIP", "Q0: CAM", "Q0: region"]),
        (
            "unet",
            [
                "CLIP",
                "Q0: CAM",
                "Q0: region",
                "Q1: CAM",
                "Q1: region",
                "P: SAM asked with Q1",
                "U-Net, round 1",
                "S3F: SAM asked with the prediction",
                "U-Net, round 2",
            ],
        ),
    ],
)
def test_every_step_is_explained(warm, answer: str, titles: list[str]) -> None:
    stage = warm[0]
    method, run = stage.fit(answer=answer)
    found = method.explain(stage.test.volume, run)
    assert [step.title for step in found.steps] == titles
    assert found.steps[0].note.endswith("slices called tumour")
    for step in found.steps:
        for array in (step.heat, step.mask):
            assert array is None or array.shape == found.volume.shape
    if answer == "unet":
        asked = found.steps[5]
        assert asked.boxes
        assert set(asked.boxes) == set(asked.points)
        ((x, y, foreground), *corners) = next(iter(asked.points.values()))
        assert foreground
        assert len(corners) == 4
        assert not any(corner[2] for corner in corners)
        (box,) = next(iter(asked.boxes.values()))
        assert box[0] <= x <= box[2]
        assert box[1] <= y <= box[3]
        assert found.steps[7].note.startswith("F = ")
        assert "not a training case" in found.steps[7].note
        assert np.array_equal(found.steps[8].mask, method.segment(stage.test.volume, run))


def test_a_training_case_knows_whether_it_was_kept(warm) -> None:
    stage, method, run = warm
    method, run = stage.fit()
    told = explain(method.options, method._trained, stage.cases[0].volume, run).steps[7].note
    assert told.endswith(("kept", "filtered out"))


def test_an_empty_brain_can_be_explained(warm) -> None:
    from unseg_bench.plugins.trial import empty_volume

    method, run = warm[0].fit()
    found = method.explain(empty_volume(), run)
    assert not any(step.mask.any() for step in found.steps if step.mask is not None)


def test_the_unet_alone_sees_images_standardised_outside_the_tumour(warm, names, monkeypatch) -> None:
    stage, ours, _ = warm
    method, run = stage.fit(normalise="outside-tumour")
    assert names(run)[:2] == ["outside-tumour", "unet"]
    assert not {"sam-masks", "layer-cam"} & set(names(run)[:3])
    shown = []

    def segment(_network, _options, _inference, volume):
        shown.append(volume.image)
        return volume.empty_mask()

    monkeypatch.setattr(answers, "segment_unet", segment)
    volume = stage.test.volume
    ours.segment(volume, run)
    method.segment(volume, run)
    assert np.array_equal(shown[0], volume.image)
    assert np.array_equal(shown[1], outside_tumour(volume))
    assert not np.array_equal(shown[0], shown[1])
