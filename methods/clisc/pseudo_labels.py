"""Stage 4: SAM, prompted with the region of each slice, draws the pseudo-label."""

import numpy as np
from numpy.typing import NDArray

from unseg_bench import Artifact, Cohort, RunError, Volume, Work, stage
from unseg_bench.blocks.prompts import Prompt, prompt_of
from unseg_bench.blocks.sam.slices import LazySam, SliceEmbeddings, segment_volume, slice_pictures
from unseg_bench.blocks.slices import to_pictures

from .options import SamStageOptions


@stage("sam-masks", seeded=False)
def segment_regions(
    work: Work, options: SamStageOptions, *, cohort: Cohort, regions: Artifact, weights: str, segmenter: LazySam,
    required: bool, **embeddings: Artifact,
) -> None:  # fmt: skip
    """Write `<case>.npy`: SAM's mask, (X, Y, Z) bool, empty in slices without a region and outside the brain.

    `regions` are those of the CAM (paper, section 2.3) or a U-Net's predictions (S3F); `embeddings` are the slices as
    SAM sees them, as far as they are kept; `weights` is the digest of SAM's weights. Raises RunError when a mask is
    `required` and SAM finds nothing in the whole cohort.
    """
    kept = tuple(embeddings.values())
    found = False
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        prompts = prompts_of(volume, regions.array(volume.case_id), options)
        asked = {index: [prompt] for index, prompt in prompts.items()}
        known = SliceEmbeddings(kept, volume.case_id)
        mask = segment_volume(segmenter.get(), volume, asked, options.sam, known) if asked else volume.empty_mask()
        found = found or bool(mask.any())
        np.save(work.folder / f"{volume.case_id}.npy", mask)
    if required and not found:
        raise RunError(
            "stage 'sam-masks': SAM found nothing in any slice of any case; check sam.weights and that sam.model "
            "names their architecture"
        )


def prompts_of(volume: Volume, region: NDArray[np.bool_], options: SamStageOptions) -> dict[int, Prompt]:
    """The prompt of each axial slice in which `region` (X, Y, Z) has something, by slice."""
    slices = np.flatnonzero(region.any(axis=(0, 1)))
    regions = to_pictures(region)[slices]
    pictures = slice_pictures(volume, slices, options.sam)
    asked = options.prompts
    return {
        int(index): prompt_of(one, picture, kind=asked.kind, points=asked.points, dilation_px=asked.dilation_px)
        for index, one, picture in zip(slices, regions, pictures, strict=True)
    }
