"""What SAM's encoder makes of a case's slices, kept: other protocols ask about the same slices."""

from collections.abc import Iterable

import numpy as np

from unseg_bench import Cohort, Context, Volume, Work, stage
from unseg_bench.blocks.sam.options import SamOptions
from unseg_bench.blocks.sam.slices import LazySam, SliceEmbeddings, keep_embeddings


@stage("prompted-slices", seeded=False)
def mark_slices(work: Work, *, cohort: Cohort, slices: str) -> None:
    """Write `<case>.npy`: the brain (X, Y, Z) in the axial slices whose numbers `slices` lists, empty elsewhere."""
    numbers = [int(number) for number in slices.split()]
    for volume in cohort:
        marked = volume.empty_mask()
        marked[:, :, numbers] = volume.brain[:, :, numbers]
        np.save(work.folder / f"{volume.case_id}.npy", marked, allow_pickle=False)


def embed_slices(
    volume: Volume, slices: Iterable[int], options: SamOptions, sam: LazySam, context: Context
) -> SliceEmbeddings | None:
    """Encode the given axial slices of one case as a stage; None where `options.keep_embeddings` is off."""
    if not options.keep_embeddings:
        return None
    cohort = Cohort("one case", [(volume.case_id, volume.digest)], lambda _: volume)
    regions = context.run(mark_slices, cohort=cohort, slices=" ".join(str(index) for index in sorted(slices)))
    kept = keep_embeddings(context.run, options, cohort=cohort, regions=regions, segmenter=sam)
    return SliceEmbeddings(kept, volume.case_id)
