"""Sim2Real's presets and studies; apart from the options, so that editing a preset leaves cached stages valid."""

from typing import Any

from unseg_bench import Study

PAPER: dict[str, Any] = {}
"""128^3, base 32, the published simulator and loss; layers on one scale, since stage II ranks cases by their sum."""

REFERENCE_CODE: dict[str, Any] = {
    "simulation": {"mixing": {"outside": "zero"}, "whole_numbers": True},
    "network": {"norm": "batch"},
    "training": {
        "scale": "separate",
        "learning_rate": 1e-2,
        "schedule": "constant",
        "keep": "best-recomposition",
    },
    "adaptation": {"rounds": 0},
    "answer": {"output": "tumour-layer"},
}
"""What the authors' repository does: layers in scales of their own (`dataload.py`), int16 images, batch statistics
(`unet3d.py`), rate 1e-2 (`train.py`), the weights that recompose unlabelled images best and the tumour layer as the
answer (what `evaluate.py` loads and scores), no stage II. `train.py` also saves the best epoch by true Dice of the
test cases (`training.keep=best-validation-dice`). Its schedule, which waits for the loss to stall, is not here."""

SOURCES: dict[str, str] = {
    "paper": """Stage I: the published simulator, network size and loss. Ours, and declared: all of stage II's numbers
    (only a drawing of it is public), both layers on one scale, a tenth of the code's rate, instance norm, the last
    step; normal slices are those of CLIP.""",
    "reference-code": """xiaoman-zhang/Layer-Decomposition, which has stage I alone: a scale a layer, its rate, batch
    statistics, the tumour layer as the answer. Its schedule, which waits for the loss to stall, is not here.""",
    "demo": "Ours: a small network on healthy phantoms; minutes on two cores.",
    "check": "Ours: the preset 'demo' in seconds.",
}

DEMO: dict[str, Any] = {
    "grid": {"size": (32, 48, 32)},
    "normals": {"source": "healthy"},
    # The prior spares the first steps, which else find out that most of a head is no tumour.
    "network": {"kind": "half-grid", "base": 8, "prior": 0.05},
    "training": {"steps": 260, "learning_rate": 1e-2, "schedule": "one-cycle"},
    "adaptation": {"steps": 30, "learning_rate": 1e-3},
    # Two volumes at once cost a CPU less than one: see `unet3d`.
    "answer": {"back": "linear", "mirror": True},
}
"""Size and steps by the time that they take; what stage I makes of its own task is in the log (`simulated_dice`)."""

CHECK: dict[str, Any] = {
    **DEMO,
    "grid": {"size": (16, 16, 16)},
    "network": {"kind": "unet3d", "base": 2, "prior": None},
    "training": {**DEMO["training"], "steps": 60, "learning_rate": 2e-2},
    "adaptation": {**DEMO["adaptation"], "steps": 4, "rounds": 1},
}

STUDIES: dict[str, Study] = {
    "stages": Study(
        "What adaptation adds",
        {
            "stage I": {"adaptation": {"rounds": 0}},
            "one round": {"adaptation": {"rounds": 1}},
            "two rounds": {"adaptation": {"rounds": 2}},
        },
    ),
    "scale": Study(
        "Layers on one scale or each on its own",
        {"shared": {"training": {"scale": "shared"}}, "separate": {"training": {"scale": "separate"}}},
    ),
    "texture": Study(
        "What makes a simulated tumour's texture (the authors' figure)",
        {
            "all": {},
            "no blur": {"simulation": {"mixing": {"blur_mm": (0.0, 0.0)}}},
            "no deformation": {"simulation": {"mixing": {"elastic_mm": 0.0}}},
            "no rescaling": {"simulation": {"mixing": {"brightness": None}}},
        },
    ),
}
