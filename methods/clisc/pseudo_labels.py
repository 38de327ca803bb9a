"""Stage 4: SAM, prompted with the region of each slice, draws the pseudo-label."""

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Artifact, Cohort, Mask, RunError, Volume, Work, stage
from unseg_bench.blocks.case_files import write_cases
from unseg_bench.blocks.prompts import Prompt, prompt_of
from unseg_bench.blocks.sam.slices import LazySam, segment_volume
from unseg_bench.blocks.slices import stretched, to_pictures

from .options import SamStageOptions


@stage("sam-masks", seeded=False)
def segment_regions(
    work: Work, options: SamStageOptions, *, cohort: Cohort, regions: Artifact, weights: str, sam: LazySam,
    required: bool,
) -> None:  # fmt: skip
    """Write `<case>.npy`: SAM's mask, (X, Y, Z) bool, empty in slices without a region and outside the brain.

    `regions` are those of the CAM (paper, section 2.3) or a U-Net's predictions (S3F); `weights` is the digest of SAM's
    weights. A case that is done survives a crash. Raises RunError when a mask is `required` and SAM finds nothing in
    the whole cohort.
    """

    def ask(volume: Volume) -> Mask:
        prompts = prompts_of(volume, regions.array(volume.case_id), options)
        return segment_volume(sam, volume, {index: [prompt] for index, prompt in prompts.items()})

    found = write_cases(work, cohort, ask)
    if required and not found:
        raise RunError(
            "stage 'sam-masks': SAM found nothing in any slice of any case; check sam.weights and that sam.model "
            "names their architecture"
        )


def prompts_of(volume: Volume, region: NDArray[np.bool_], options: SamStageOptions) -> dict[int, Prompt]:
    """The prompt of each axial slice in which `region` (X, Y, Z) has something, by slice."""
    slices = np.flatnonzero(region.any(axis=(0, 1)))
    regions = to_pictures(region)[slices]
    pictures = stretched(volume, slices, options.sam.scaling)
    asked = options.prompts
    return {
        int(index): prompt_of(one, picture, kind=asked.kind, points=asked.points, dilation_px=asked.dilation_px)
        for index, one, picture in zip(slices, regions, pictures, strict=True)
    }
