"""CLISC at full size: CLIP, two ResNet-50, SAM ViT-B and two 3D U-Nets, to the prediction.

Lowered: one epoch of each classifier, one step of each U-Net. `unet.foreground_prior=0.98`: after one step a U-Net of
the default prior may call nothing tumour, and then there is nothing to train the second one with. CLIP's captions are
taught the slices' labels (see `weights`). `cam.slices=clip`, which only `reference-code` sets otherwise: after one
epoch the classifier calls no slice tumour, and then there is no map.
"""

from pathlib import Path

import numpy as np
import pytest

from tests.full_size.cohort import TUMOUR_SLICES
from tests.full_size.conftest import Run
from tests.full_size.presets import presets_of
from tests.full_size.weights import CLIP_NAME, PARAMETERS

TRAINING_CASES = 2
HEADS = {"paper": 2048 * 2 + 2, "reference-code": 2048 * 256 + 256 + 256 * 2 + 2}
"""Parameters of the classifier's last layers: linear, or the code's two layers."""
UNETS = {"paper": 5_646_402, "reference-code": 5_882_578}
"""The code's has no learned upsampling and no learned norms, and so more channels on the way up."""


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets_of("clisc"))
def test_clisc(run: Run, clip: Path, clip_of_values: Path, sam: Path, resnet: Path, preset: str) -> None:
    shown = clip_of_values if preset == "reference-code" else clip
    done = run(
        "clisc",
        preset,
        *(f"clip.model={CLIP_NAME}", f"clip.pretrained={shown}", f"sam.weights={sam}", f"classifier.weights={resnet}"),
        *("classifier.epochs=1", "unet.steps=1", "unet.foreground_prior=0.98", "cam.slices=clip"),
        peak_gb=11,
    )
    assert done.models == {"clip": PARAMETERS["clip"], "sam": PARAMETERS["vit_b"]}
    assert done.parameters("ResNet") == PARAMETERS["resnet50-body"] + HEADS[preset]
    assert {shape[1:] for shape in done.inputs("ResNet")} == {(3, 224, 224)}
    assert {shape[1:] for shape in done.inputs("VisionTransformer")} == {(3, 224, 224)}
    assert done.inputs("FastEncoder") == {(1, 3, 1024, 1024)}
    assert done.parameters("UNet3d") == UNETS[preset]
    assert (2, 1, 128, 128, 128) in done.inputs("UNet3d")
    assert {shape[2:] for shape in done.inputs("UNet3d")} == {(128, 128, 128)}
    assert done.prompted_in_frame()
    asked = len(done.watched["boxes"])
    assert asked >= TRAINING_CASES * len(TUMOUR_SLICES)
    points = 9 if preset == "reference-code" else 5
    assert np.shape(done.watched["labels"]) == (asked, points)
    assert done.mask.any()
