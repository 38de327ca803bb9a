"""Presets and studies of sam-prompts."""

from typing import Any

from unseg_bench import Study

PAPER: dict[str, Any] = {}

DEMO: dict[str, Any] = {
    "spacing_mm": 2.0,
    "sam": {"model": "miniature", "weights": "miniature-sam", "batch": 16},
}

CHECK: dict[str, Any] = {**DEMO, "spacing_mm": 4.0}

SOURCES: dict[str, str] = {
    "paper": "The row 'SAM' of CLISC's Table 1: ViT-B, asked with box, centre and corners of the true mask.",
    "demo": "Ours: the miniature SAM on a coarse grid.",
    "check": "Ours: the preset 'demo' in seconds.",
}

# The last row of each is what the others are compared with.
STUDIES: dict[str, Study] = {
    "protocols": Study(
        "How much SAM's answer depends on how it is asked",
        {protocol: {"protocol": protocol} for protocol in ("G1", "G2", "G3", "G4", "G5", "paper")},
    ),
    "slice-choice": Study(
        "What it is worth to be told which slices have tumour",
        {"all slices": {"slices": "all"}, "tumour slices": {"slices": "tumour"}},
    ),
}
