"""Stage 4: SAM, prompted with the region of each slice, draws the pseudo-label."""

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.prompts import box_and_five_points
from unseg_bench.blocks.sam import SamSegmenter
from unseg_bench.blocks.slices import eight_bit, equalise, to_pictures, to_volume
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Work, stage

from .options import SamStageOptions


@stage("sam-masks", seeded=False)
def segment_regions(
    work: Work, options: SamStageOptions, *, cohort: Cohort, regions: Artifact, weights: str, offline: bool
) -> None:
    """Write `<case>.npy`: SAM's mask, (X, Y, Z) bool, empty in slices without a region and outside the brain.

    `regions` are those of the CAM (paper, section 2.3) or a U-Net's predictions (S3F); `weights` is the digest of
    SAM's weights. Raises RunError when SAM finds nothing in the whole cohort.
    """
    segmenter = SamSegmenter(options.sam.model, options.sam.weights, device=work.device, offline=offline)
    found = False
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        mask = _segment(segmenter, volume, regions.array(volume.case_id), options)
        found = found or bool(mask.any())
        np.save(work.folder / f"{volume.case_id}.npy", mask)
    if not found:
        raise RunError(
            "stage 'sam-masks': SAM found nothing in any slice of any case; check sam.weights and that sam.model "
            "names their architecture"
        )


def _segment(segmenter: SamSegmenter, volume: Volume, region: NDArray[np.bool_], options: SamStageOptions) -> Mask:
    prompted = np.flatnonzero(region.any(axis=(0, 1)))
    regions = to_pictures(region)[prompted]
    masks = np.zeros(to_pictures(region).shape, dtype=np.bool_)
    for start in range(0, len(prompted), options.sam.batch):
        part = slice(start, start + options.sam.batch)
        masks[prompted[part]] = _segment_slices(segmenter, volume, prompted[part], regions[part], options)
    return np.ascontiguousarray(to_volume(masks)) & volume.brain


def _segment_slices(
    segmenter: SamSegmenter, volume: Volume, slices: NDArray[np.intp], regions: NDArray[np.bool_],
    options: SamStageOptions,
) -> NDArray[np.bool_]:  # fmt: skip
    pictures = eight_bit(volume, slices, options.sam.scaling)
    if options.sam.equalise:
        pictures = np.stack([equalise(picture) for picture in pictures])
    embeddings = segmenter.encode_many(pictures, batch_size=len(pictures))
    prompts = [box_and_five_points(region, options.prompts.dilation_px) for region in regions]
    found = [
        segmenter.segment(embedding, prompt.points, prompt.labels, np.asarray(prompt.box))[0]
        for embedding, prompt in zip(embeddings, prompts, strict=True)
    ]
    return np.stack(found)
