"""AMCons: Silva-Rodriguez, Naranjo, Dolz, "Constrained unsupervised anomaly segmentation", Medical Image Analysis 80,
2022; rebuilt from its code (jusiro/constrained_anomaly_segmentation).
"""

from typing import Any

from unseg_bench import Study

from .method import ConstrainedVaeMethod
from .options import AmconsOptions

REFERENCE_CODE: dict[str, Any] = {
    "normals": {"source": "slice-labels"},
    "slices": {"middle": 10, "jpeg": True, "histogram": "reference-cut-at-test"},
    "thresholds": {"rule": "best-dice"},
}
"""What the authors' repository does beside: normal slices of tumour patients by their masks, lossy pictures matched to
one slice, the threshold with the best Dice (there on the very slices that are scored, here on the validation part).
It also leaves cases with little tumour out of its scores (`filter_volumes`); a case of the test part is always scored
here, so that cannot be had.
"""

SOURCES: dict[str, str] = {
    "paper": """Network, losses and schedule of the 2022 code, whose paper's text was not at hand. Ours, and declared:
    normal slices are those of CLIP, all slices are learned from and segmented, the threshold is from normal slices.""",
    "reference-code": """jusiro/constrained_anomaly_segmentation beside that: normal slices by the masks, ten central
    slices, JPEG, its histogram matching, the threshold with the best Dice, here on the validation part.""",
    "demo": "Ours: a small network on healthy phantoms; a minute on two cores.",
    "check": "Ours: the preset 'demo' in seconds.",
}

DEMO: dict[str, Any] = {
    "normals": {"source": "healthy"},
    "slices": {"size": 64, "erosion_px": 2},
    "network": {"width": 8, "latent": 16},
    "training": {"epochs": 5, "batch": 8, "learning_rate": 1e-3},
}
"""Small enough for two CPU cores; weights, map and constraint are the published ones."""

CHECK: dict[str, Any] = {**DEMO, "network": {"width": 4, "latent": 4}, "training": {"epochs": 3, "batch": 8}}


class Amcons(ConstrainedVaeMethod[AmconsOptions]):
    """A VAE of normal slices whose activations shall be spread evenly over the brain (entropy); where they are not, on
    a slice that was never learned from, is the lesion.
    """

    name = "amcons"
    presets = {"paper": {}, "reference-code": REFERENCE_CODE, "demo": DEMO, "check": CHECK}
    preset_sources = SOURCES
    studies = {
        "constraint": Study(
            "What the constraint adds",
            {"AMCons": {}, "no constraint": {"loss": {"constraint_weight": 0.0}}},
        ),
    }
