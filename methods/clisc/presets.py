"""CLISC's presets; apart from the options, so that editing a preset leaves cached stages valid."""

from typing import Any

from unseg_bench.blocks.unet.options import CHECK_UNET, DEMO_INFERENCE, DEMO_UNET

PAPER: dict[str, Any] = {}

REFERENCE_CODE: dict[str, Any] = {
    "labels": {"rule": "confident"},
    "classifier": {"head": "mlp", "epochs": 400, "schedule": "step", "keep": "best-by-true-slices"},
    "cam": {"slices": "classifier", "true_slices": True},
    "region": {"rule": "validation-dice"},
    "amda": {"rule": "range"},
    "prompts": {"points": "authors-code", "dilation_px": 10},
    "sam": {"equalise": True},
    "unet": {"keep": "best-validation-dice", "validate_every": 200, "validate_way": "resized"},
    "inference": {"way": "resized"},
    "s3f": {"dilation_px": 0, "component": "largest"},
}
"""What the authors' repository does where it differs from the paper, its four uses of labels included."""

DEMO: dict[str, Any] = {
    "spacing_mm": 2.0,
    "clip": {"model": "miniature", "pretrained": "miniature", "scaling": "volume", "min_brain_share": 0.1},
    "classifier": {
        "network": "small-resnet",
        "weights": None,
        "width": 8,
        "image_size": 96,
        # Scaled slice by slice, a bright tumour darkens the rest of its slice: a cue everywhere, which CAMs then mark.
        "scaling": "volume",
        "epochs": 5,
        "batch": 32,
        "learning_rate": 3e-3,
        "schedule": "one-cycle",
        "mirror": True,
    },
    # The finest maps that still tell a tumour: the last layer's mark all that surrounds it too.
    "cam": {"layer": "layer2"},
    # As printed, AMDA teaches a small network that holes mean tumour; these three take that cue away.
    "amda": {"within": "region", "normal_masks": "cam-shaped", "unmasked_share": 0.5},
    "sam": {"model": "miniature", "weights": "miniature-sam", "batch": 16},
    # As the supervised U-Net's demo, in fewer steps.
    "unet": {**DEMO_UNET, "steps": 130},
    "inference": DEMO_INFERENCE,
}

CHECK: dict[str, Any] = {
    **DEMO,
    "spacing_mm": 4.0,
    "classifier": {**DEMO["classifier"], "image_size": 48, "epochs": 2, "batch": 8},
    "clip": {**DEMO["clip"], "min_brain_share": 0.0},
    "unet": CHECK_UNET,
}
