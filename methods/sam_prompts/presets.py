"""Presets and studies of sam-prompts."""

from typing import Any, get_args

from unseg_bench.plugins.studies import Study

from .protocols import Protocol

PAPER: dict[str, Any] = {}

DEMO: dict[str, Any] = {
    "spacing_mm": 2.0,
    "sam": {"model": "miniature", "weights": "miniature-sam", "batch": 16},
}

CHECK: dict[str, Any] = {**DEMO, "spacing_mm": 4.0}

STUDIES: dict[str, Study] = {
    "protocols": Study(
        "How much SAM's answer depends on how it is asked",
        {protocol: {"protocol": protocol} for protocol in get_args(Protocol)},
    ),
    "slice-choice": Study(
        "What it is worth to be told which slices have tumour",
        {"tumour slices": {"slices": "tumour"}, "all slices": {"slices": "all"}},
    ),
}
