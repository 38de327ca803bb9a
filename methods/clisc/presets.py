"""CLISC's presets; apart from the options, so that editing a preset leaves cached stages valid."""

from typing import Any

PAPER: dict[str, Any] = {}

DEMO: dict[str, Any] = {
    "spacing_mm": 2.0,
    "clip": {"model": "miniature", "pretrained": "miniature", "scaling": "slice", "min_brain_share": 0.1},
    "classifier": {
        "network": "small-resnet",
        "weights": None,
        "width": 8,
        "image_size": 80,
        # Scaled slice by slice, a bright tumour darkens the rest of its slice: a cue everywhere, which CAMs then mark.
        "scaling": "volume",
        "epochs": 5,
        "batch": 32,
        "learning_rate": 3e-3,
        "schedule": "one-cycle",
        "mirror": True,
    },
    # As printed, AMDA teaches a small network that holes mean tumour; these three take that cue away.
    "amda": {"within": "region", "normal_masks": "cam-shaped", "unmasked_share": 0.5},
    "sam": {"model": "miniature", "weights": "miniature-sam", "batch": 16},
    # As the supervised U-Net's demo, in fewer steps.
    "unet": {
        "spacing_mm": 4.0,
        "channels": (12, 24, 48, 96),
        "norm": "instance",
        "dropout": 0.0,
        "foreground_prior": 0.02,
        "patch": (40, 48, 40),
        "steps": 100,
        "loss": "dice-ce",
        "optimizer": "adam",
        "learning_rate": 1e-2,
        "schedule": "one-cycle",
        "orientation": "left-right",
        "foreground_share": 0.5,
    },
    "inference": {"way": "whole", "mirror": True, "largest_component": True},
}

CHECK: dict[str, Any] = {
    **DEMO,
    "spacing_mm": 4.0,
    "classifier": {**DEMO["classifier"], "image_size": 48, "epochs": 2, "batch": 8},
    "clip": {**DEMO["clip"], "min_brain_share": 0.0},
    "unet": {
        **DEMO["unet"],
        "spacing_mm": 8.0,
        "channels": (4, 8),
        "patch": (12, 16, 12),
        "steps": 12,
        "foreground_prior": 0.5,
    },
}
