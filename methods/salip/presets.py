"""SaLIP's presets and studies; apart from the options, so that editing a preset leaves cached stages valid."""

from typing import Any

from unseg_bench import Study

FLAIR: dict[str, Any] = {}
"""Ours, for slices that may have no tumour: the choice can abstain, masks as large as the brain or outside it are
dropped, slices with little brain are left out."""

_NO_FILTER: dict[str, Any] = {"min_area": 0.0, "max_area": 1000.0, "min_inside": 0.0, "max_cover": 1.0}

PAPER: dict[str, Any] = {
    "pictures": {"min_brain_share": 0.0, "clip_quantile": 1.0},
    # Where the two published scripts search for settings by labels: the middle of the values that both try.
    "everything": {
        "stability_score_thresh": 0.5,
        "box_nms_thresh": 0.9,
        "crop_nms_thresh": 0.9,
        "min_mask_region_area": 200,
        "edge_tolerance_px": 20.0,
    },
    # The middle one of the three bounds that the script for pictures tries.
    "filters": {**_NO_FILTER, "max_picture_share": 40_000 / 256**2},
    "choice": {"rule": "top-k"},
}
"""What the paper's figure shows: an area bound, the best crop of every slice, its box back to SAM."""

REFERENCE_CODE: dict[str, Any] = {
    "pictures": {"min_brain_share": 0.0, "clip_quantile": 1.0, "long_side_px": None},
    "everything": {
        "box_nms_thresh": 0.9,
        "crop_nms_thresh": 0.9,
        "min_mask_region_area": 200,
        "edge_tolerance_px": 20.0,
    },
    "filters": _NO_FILTER,
    "crops": {"last_row": False},
    "choice": {"rule": "top-k"},
    "search": {"by": "labels"},
}
"""The authors' script for brain volumes: slices as they are, no filter of masks, the best crop of every slice, settings
searched for by labels."""

DEMO: dict[str, Any] = {
    "spacing_mm": 2.0,
    "pictures": {"every": 5, "long_side_px": 192},
    # The same tissue has the same grey in every slice: what is bright in one without tumour is then not white.
    "sam": {"model": "miniature", "weights": "miniature-sam", "scaling": "volume"},
    # The miniature SAM is less sure of single points than its model: the lowest values of the authors' search.
    "everything": {
        "points_per_side": 6,
        "pred_iou_thresh": 0.2,
        "stability_score_thresh": 0.2,
        "min_mask_region_area": 30,
    },
    "clip": {
        "model": "miniature",
        "pretrained": "miniature",
        # The miniature CLIP knows the words of its own captions alone.
        "tumour_captions": (
            "a brain with a tumor",
            "a brain slice with a bright tumor and surrounding edema",
            "a FLAIR slice showing a glioma, a hyperintense mass",
        ),
        "background_captions": (
            "a normal brain",
            "an axial FLAIR image of the brain with no lesion",
            "a FLAIR slice showing healthy tissue and symmetric ventricles",
        ),
    },
}

CHECK: dict[str, Any] = {
    **DEMO,
    "spacing_mm": 4.0,
    "pictures": {"every": 8, "long_side_px": 96},
    "everything": {**DEMO["everything"], "points_per_side": 4, "min_mask_region_area": 8},
}

SOURCES: dict[str, str] = {
    "paper": """The paper's pipeline: an area bound, the best crop of every slice, its box back to SAM, one mask. Ours,
    since the paper has no tumour task and no label is read: the captions, the settings of everything mode (the middle
    of what both published scripts try), the bound (the middle one of three), and nothing outside the brain.""",
    "reference-code": """sam_clip_3d.py of aleemsidra/SaLIP: slices as they are, no area bound, settings of everything
    mode searched for by labels, here on the validation part. Ours: the captions, and nothing outside the brain.""",
    "flair": """Ours, on the paper's pipeline: a slice without a tumour's crop stays empty, masks that can be no tumour
    are dropped before CLIP sees them, slices with little brain are left out.""",
    "demo": "Ours: the preset 'flair' with the miniature pair, every fifth slice.",
    "check": "Ours: the preset 'demo' in seconds.",
}

STUDIES: dict[str, Study] = {
    "choice": Study(
        "Which crops become prompts",
        {
            "best crop": {"choice": {"rule": "top-k"}},
            "best tumour crop": {"choice": {"rule": "class-softmax"}},
            "within one deviation": {"choice": {"rule": "k-sigma"}},
        },
    ),
    "crops": Study(
        "What CLIP is shown of a proposal",
        {
            "masked box": {"crops": {"mode": "masked"}},
            "box": {"crops": {"mode": "box"}},
            "dimmed outside": {"crops": {"mode": "dimmed"}},
        },
    ),
    "additions": Study(
        "What SaLIP does not have",
        {
            "none": {},
            "intensity gate": {"filters": {"min_z": 1.0}},
            "largest piece": {"component": "largest"},
        },
    ),
}
