"""Pairs of phantom heads, with and without their tumour; the one module here that knows phantoms.

In a sealed run on the phantom data set itself that code cannot be read, since it knows where the tumours are.
"""

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from unseg_bench import MethodOptions, RunError, Work, stage, write_json
from unseg_bench.blocks.components import bounding_box
from unseg_bench.blocks.resample import mask_to_shape, resample_to_shape
from unseg_bench.blocks.simulated_tumours.simulate import to_positive

from .layers import moments
from .options import Size
from .samples import PAIRS

if TYPE_CHECKING:
    from unseg_bench.blocks.phantom.generator import Phantom


class PairOptions(MethodOptions):
    """How many pairs are made, at which voxel size, and to what size they are stretched."""

    count: int
    spacing_mm: float
    size: Size


def require_phantoms() -> None:
    """Raise RunError where the generator cannot be read: inside the seal of a run on the phantom data set."""
    try:
        import_module("unseg_bench.blocks.phantom.generator")
    except (ImportError, OSError) as error:
        raise RunError(
            "simulation.simulator=phantom: the phantoms' generator cannot be read here, since this run is sealed and "
            "its data are phantoms, whose tumours the generator knows. Use simulation.simulator=mixing, or other data"
        ) from error


@stage("sim2real-phantom-pairs")
def make_pairs(work: Work, options: PairOptions) -> None:
    """Write `<number>.<part>.npy` of each pair: mixed, normal (float16, positive), mask, brain; and `pairs.json`."""
    from unseg_bench.blocks.phantom.generator import generate_pair, tumour_volumes_ml

    volumes_ml = tumour_volumes_ml(options.count, work.seed)
    for number, tumour_ml in enumerate(volumes_ml):
        work.progress(number, options.count, f"phantom {number}")
        pair = generate_pair(
            cohort_seed=work.seed, case_index=number, tumour_ml=float(tumour_ml), spacing_mm=options.spacing_mm
        )
        for part, array in _stretched(*pair, options.size).items():
            np.save(work.folder / f"{number}.{part}.npy", array, allow_pickle=False)
    write_json(work.folder / PAIRS, {"pairs": options.count})


def _stretched(ill: "Phantom", healthy: "Phantom", size: Size) -> dict[str, np.ndarray]:
    """Cut both to the brain's box, z-score by the ill one, stretch, and shift by the ill one's darkest part."""
    brain = ill.image > 0
    box = bounding_box(brain)
    assert box is not None  # noqa: S101 - a phantom has a brain
    inside, own = brain[box], moments(ill.image, brain)

    def scored(image: np.ndarray) -> np.ndarray:
        return resample_to_shape(np.where(inside, own.normalise(image[box]), np.float32(0.0)), size)

    whole = mask_to_shape(inside, size)
    mixed, shift = to_positive(scored(ill.image), whole)
    normal = np.where(whole, scored(healthy.image) + np.float32(shift), np.float32(0.0))
    return {
        "mixed": mixed.astype(np.float16),
        "normal": normal.astype(np.float16),
        "mask": mask_to_shape(ill.reference[box], size) & whole,
        "brain": whole,
    }
