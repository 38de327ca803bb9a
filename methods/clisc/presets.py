"""CLISC's presets; apart from the options, so that editing a preset leaves cached stages valid."""

from typing import Any

from unseg_bench.blocks.unet.options import CHECK_UNET, DEMO_INFERENCE, DEMO_UNET

PAPER: dict[str, Any] = {}

REFERENCE_CODE: dict[str, Any] = {
    "normalise": "crop",
    "empty_cases": "left-out",
    "clip": {"picture": "z-scores"},
    "labels": {"rule": "confident"},
    "classifier": {
        "head": "mlp",
        "values": "unit",
        "epochs": 400,
        "schedule": "step",
        "keep": "best-by-true-slices",
    },
    "cam": {"slices": "classifier", "true_slices": True},
    "region": {"rule": "validation-dice"},
    "amda": {"rule": "brightness"},
    "prompts": {"points": "authors-code", "dilation_px": 10},
    "sam": {"equalise": True},
    "unet": {
        "norm": "instance",
        "norm_affine": False,
        "upsampling": "trilinear",
        "initialisation": "kaiming",
        "orientation": "sagittal-turns",
        "precision": "float32",
        "keep": "best-validation-dice",
        "validate_every": 200,
        "validate_way": "resized",
    },
    "inference": {"way": "resized"},
    "s3f": {"dilation_px": 0, "component": "largest"},
}
"""What `train/run.sh` of HiLab-git/CLISC (b9d22c1) does, its four uses of labels included."""

SOURCES: dict[str, str] = {
    "paper": """The paper's numbers. Where it gives none, those of its code (momentum, weight decay, dropout, opening)
    or ours: the level of regions, ImageNet's scale, the turns of patches, the last step. No label is read.""",
    "reference-code": """What train/run.sh of HiLab-git/CLISC (b9d22c1) does, its four uses of labels and its errors
    included; docs/methods.md lists what stays different.""",
    "demo": "Ours: small networks, the miniature pair, masks and regions that suit them; minutes on two cores.",
    "check": "Ours: the preset 'demo' in seconds.",
}

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
    # The finest maps of a small network: the later layers' mark all that surrounds a tumour too. They are sparse, so
    # their level is low, and what is apart from the largest piece would widen the boxes that SAM is asked with.
    "cam": {"layer": "layer1"},
    "region": {"level": 0.15, "keep_share": 1.0, "opening_neighbours": 6},
    # As printed, AMDA teaches a small network that holes mean tumour; these three take that cue away.
    "amda": {"within": "region", "normal_masks": "cam-shaped", "unmasked_share": 0.5},
    "sam": {"model": "miniature", "weights": "miniature-sam", "batch": 16},
    # As the supervised U-Net's demo, on a coarser grid: the whole head is one patch, and there is time for more steps.
    "normalise": "outside-tumour",
    "unet": {
        **DEMO_UNET,
        "spacing_mm": 3.0,
        "patch": (48, 56, 48),
        "steps": 500,
        "learning_rate": 5e-3,
        "augmentation": "strong",
    },
    "inference": DEMO_INFERENCE,
}

CHECK: dict[str, Any] = {
    **DEMO,
    "spacing_mm": 4.0,
    "classifier": {**DEMO["classifier"], "image_size": 48, "epochs": 2, "batch": 8},
    "clip": {**DEMO["clip"], "min_brain_share": 0.0},
    "unet": CHECK_UNET,
}
