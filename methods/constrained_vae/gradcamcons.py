"""GradCAMCons: Silva-Rodriguez, Naranjo, Dolz, "Looking at the whole picture: constrained unsupervised anomaly
segmentation", BMVC 2021; rebuilt from its code (cvblab/anomaly_localization_vae_gcams).
"""

from typing import Any

from unseg_bench import Study

from .method import ConstrainedVaeMethod
from .options import GradcamconsOptions

REFERENCE_CODE: dict[str, Any] = {
    "normals": {"source": "slice-labels"},
    "slices": {"middle": 10, "jpeg": True, "histogram": "reference"},
    "inference": {"scale": "slice"},
    "thresholds": {"rule": "best-dice"},
}
"""What the 2021 repository does beside: normal slices of tumour patients by their masks, lossy pictures matched to one
slice, each slice's map in its own range, the threshold with the best Dice (there on the very slices that are scored,
here on the validation part).
"""

REFERENCE_CODE_2022: dict[str, Any] = {
    "map": "activation",
    "normals": {"source": "slice-labels"},
    "slices": {"middle": 10, "jpeg": True, "histogram": "reference-cut-at-test"},
    "network": {"layout": "2022"},
    "loss": {
        "scale": "summed",
        "constraint_weight": 1000.0,
        "share": 0.01,
        "barrier": 10.0,
        "warm_up_steps": None,
        "warm_up_epochs": 50,
    },
    "training": {"batch": 8},
    "inference": {"scale": "slice-2022"},
    "thresholds": {"rule": "best-dice"},
}
"""What jusiro/constrained_anomaly_segmentation, the authors' later repository, runs under this method's name: the plain
map of activations and losses of another scale. At a share of 0.01 and a steepness of 10 the barrier is a line. It also
leaves cases with little tumour out of its scores (`filter_volumes`); a case of the test part is always scored here.
"""

SOURCES: dict[str, str] = {
    "paper": """Network, losses and numbers of the 2021 code, whose paper's text was not at hand. Ours, and declared:
    normal slices are those of CLIP, all slices are learned from and segmented, maps in the range of the normal slices,
    the threshold from them.""",
    "reference-code": """cvblab/anomaly_localization_vae_gcams beside that: normal slices by the masks, ten central
    slices, JPEG, a range a slice, the threshold with the best Dice, here on the validation part.""",
    "reference-code-2022": """What jusiro/constrained_anomaly_segmentation runs under this name: no gradient in the map,
    losses of another scale.""",
    "demo": "Ours: a small network on healthy phantoms; a minute on two cores.",
    "check": "Ours: the preset 'demo' in seconds.",
}

DEMO: dict[str, Any] = {
    "normals": {"source": "healthy"},
    "slices": {"size": 64, "erosion_px": 2},
    "network": {"width": 8, "latent": 16},
    "loss": {"warm_up_steps": 60},
    "training": {"epochs": 5, "batch": 8, "learning_rate": 3e-4},
}
"""Small enough for two CPU cores; losses, map and constraint are the 2021 code's, the warm-up is shorter. At a rate of
1e-3 the training loss does not settle.
"""

CHECK: dict[str, Any] = {
    **DEMO,
    "network": {"width": 4, "latent": 4},
    "loss": {"warm_up_steps": 2},
    "training": {"epochs": 3, "batch": 8, "learning_rate": 1e-3},
}


class Gradcamcons(ConstrainedVaeMethod[GradcamconsOptions]):
    """A VAE of normal slices whose Grad-CAM shall cover the whole picture (log-barrier); where it is high, on a slice
    that was never learned from, is the lesion.
    """

    name = "gradcamcons"
    presets = {
        "paper": {},
        "reference-code": REFERENCE_CODE,
        "reference-code-2022": REFERENCE_CODE_2022,
        "demo": DEMO,
        "check": CHECK,
    }
    preset_sources = SOURCES
    studies = {
        "map": Study(
            "What the gradient's weights and the constraint add",
            {
                "GradCAMCons": {},
                "plain map": {"map": "activation"},
                "no constraint": {"loss": {"constraint_weight": 0.0}},
            },
        ),
    }
