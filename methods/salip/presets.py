"""SaLIP's presets and studies; apart from the options, so that editing a preset leaves cached stages valid."""

from typing import Any

from unseg_bench import Study

PAPER: dict[str, Any] = {}
"""SAM is the published ViT-H, CLIP the ViT-B/32 of the authors' script for brains; the settings of everything mode are
fixed, not searched for by labels, and a slice without a tumour's crop stays empty, which no published task needed."""

REFERENCE_CODE: dict[str, Any] = {
    "pictures": {"clip_quantile": 1.0, "long_side_px": None},
    "everything": {
        "box_nms_thresh": 0.9,
        "crop_nms_thresh": 0.9,
        "min_mask_region_area": 200,
        "edge_tolerance_px": 20.0,
    },
    "filters": {"min_area": 0.0, "max_area": 1000.0, "min_inside": 0.0, "max_cover": 1.0},
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
