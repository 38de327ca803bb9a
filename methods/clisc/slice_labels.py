"""Stage 1: CLIP says of every axial slice whether it shows a tumour."""

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.clip import ClipScorer
from unseg_bench.blocks.slices import brain_slices, eight_bit
from unseg_bench.data.cohort import Cohort
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Work, stage

from .options import ClipOptions


@stage("clip-labels", seeded=False)
def label_slices(work: Work, options: ClipOptions, *, cohort: Cohort, weights: str, offline: bool) -> None:
    """Write `<case>.npy`: the probability of a tumour per axial slice, (Z,) float32, NaN where too little brain is.

    `weights` is the digest of CLIP's weights. Paper, eq. 1: softmax over the captions' classes of the similarity of
    image and text. Raises RunError when every slice of the cohort gets the same label.
    """
    scorer = ClipScorer(options.model, options.pretrained, device=work.device, offline=offline)
    captions = [list(options.normal_captions), list(options.tumour_captions)]
    tumour = total = 0
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        slices = brain_slices(volume.brain, options.min_brain_share)
        probability = np.full(volume.shape[2], np.nan, dtype=np.float32)
        if len(slices):
            probability[slices] = scorer.probabilities(eight_bit(volume, slices, options.scaling), captions)[:, 1]
        np.save(work.folder / f"{volume.case_id}.npy", probability)
        tumour += int((probability > 0.5).sum())
        total += len(slices)
    if tumour in (0, total):
        kind = "tumour" if tumour else "normal"
        raise RunError(
            f"stage 'clip-labels': CLIP called all {total} slices {kind}, so there is nothing to learn from; "
            "try other captions (clip.normal_captions, clip.tumour_captions) or another clip.model"
        )


def labelled_slices(labels: Artifact, case_id: str) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Axial slices that CLIP was asked about and whether it said tumour (argmax), both (N,)."""
    probability = labels.array(case_id)
    slices = np.flatnonzero(~np.isnan(probability))
    return slices, np.asarray(probability[slices] > 0.5)
