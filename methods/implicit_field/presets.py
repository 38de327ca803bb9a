"""The implicit field's presets and studies; apart from the options, so that editing a preset leaves stages valid."""

from typing import Any

from unseg_bench import Study

PAPER: dict[str, Any] = {}
"""The published network, schedule and fit on a cube of 160; learned from FLAIR slices that CLIP calls normal, classes
found on them, threshold without labels, the code kept in its ball."""

REFERENCE_CODE: dict[str, Any] = {
    "scan": {"side_mm": 240.0, "centres": "published", "background": "shared", "even_windows": True},
    "fit": {"cap": False, "cases": 1},
    "thresholds": {"rule": "best-dice"},
}
"""The authors' code and notebook: BraTS' field of view, their ten centres (of T2-weighted scans), the background in the
darkest class, a code without bounds, the threshold with the best Dice on annotated cases."""

SOURCES: dict[str, str] = {
    "paper": """The published network, schedule and fit. Ours, and declared: FLAIR slices that CLIP calls normal in the
    place of healthy T2 scans, classes found on them, air as a class of its own, one size of cube, the code kept in its
    ball, the threshold from normal slices.""",
    "reference-code": """snavalm/ifl_unsup_anom_det and its notebook: BraTS' field of view, its ten centres, air in the
    darkest class, a code without bounds, the threshold with the best Dice, here on the validation part.""",
    "demo": "Ours: a small network on healthy phantoms; minutes on two cores.",
    "check": "Ours: the preset 'demo' in seconds.",
}

DEMO: dict[str, Any] = {
    "normals": {"source": "healthy"},
    "scan": {"side": 48},
    "network": {"octaves": None, "code": 64, "width": 128, "layers": 5, "join_after": 3},
    "training": {
        "steps": 1200,
        "points": 700,
        "cube_share": 0.25,
        "learning_rate": 2e-3,
        "code_learning_rate": 4e-3,
    },
    "fit": {"steps": (120, 30), "points": (1_000, 2_000), "learning_rate": 1e-2},
}

CHECK: dict[str, Any] = {
    **DEMO,
    "scan": {"side": 16},
    "network": {**DEMO["network"], "code": 16, "width": 64, "layers": 3, "join_after": 2, "octaves": 3},
    "training": {**DEMO["training"], "steps": 60, "points": 200},
    "fit": {**DEMO["fit"], "steps": (20, 5), "points": (200, 200)},
}

STUDIES: dict[str, Study] = {
    "cap": Study("Whether the fitted code may leave the ball", {"capped": {}, "as-released": {"fit": {"cap": False}}}),
    "filters": Study(
        "What smoothing does",
        {
            "both": {},
            "mean alone": {"smoothing": {"min_pool_mm": 0.0}},
            "none": {"smoothing": {"min_pool_mm": 0.0, "mean_pool_mm": 0.0}},
        },
    ),
    "scaling": Study(
        "Whether a tumour moves the classes of normal tissue",
        {"percentiles": {}, "robust": {"scan": {"scaling": "robust"}}},
    ),
    "background": Study(
        "Whether the background is a class of its own",
        {"own": {}, "shared": {"scan": {"background": "shared"}}},
    ),
}
