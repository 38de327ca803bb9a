"""What CLISC's authors asked of it, and what they did not: what steps add, what labels are worth, where DSC is lost."""

from typing import Any

from unseg_bench import Study

TABLE_2 = Study(
    "Table 2: what each step adds",
    {
        "raw CAM": {"answer": "raw-cam"},
        "CAM with AMDA": {"answer": "amda-cam"},
        "SAM (5 points)": {"answer": "sam", "prompts.kind": "points"},
        "SAM (box)": {"answer": "sam", "prompts.kind": "box"},
        "SAM (5 points + box)": {"answer": "sam", "prompts.kind": "both"},
        "Ours (w/o self-training)": {"rounds": 1},
        "Ours (w/o S3F)": {"s3f.beta": 0},
        "Ours": {},
    },
)

_NONE: dict[str, Any] = {
    "cam.true_slices": False,
    "region.rule": "fixed",
    "classifier.keep": "last",
    "unet.keep": "last",
}
_USES: dict[str, dict[str, Any]] = {
    "1: CAMs gated by true slices": {"cam.true_slices": True},
    "2: CAM level by validation Dice": {"region.rule": "validation-dice"},
    "3: classifier epoch by true slices": {"classifier.keep": "best-by-true-slices"},
    "4: U-Net checkpoint by validation Dice": {"unet.keep": "best-validation-dice"},
}

LABEL_USE = Study(
    "What the authors' four uses of labels are worth",
    {
        "no labels": _NONE,
        **{name: {**_NONE, **use} for name, use in _USES.items()},
        "all four": {name: value for use in _USES.values() for name, value in use.items()},
    },
)

STAGE_ORACLES = Study(
    "Where DSC is lost: the truth in one stage's place",
    {
        "true slice labels (for CLIP's)": {"oracle.labels": True},
        "true regions (for the CAMs')": {"oracle.regions": True},
        "true pseudo-labels (for SAM's)": {"oracle.pseudo_labels": True},
        "true Dice (for S3F's similarity)": {"oracle.filter": True},
        "Ours": {},
    },
)
