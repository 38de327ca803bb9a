"""SaLIP on one axial slice: SAM proposes, CLIP chooses, SAM outlines the chosen boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.clip.scorer import ClipScorer
from unseg_bench.blocks.prompts import box_prompt
from unseg_bench.blocks.sam.everything import Proposal, everything
from unseg_bench.blocks.sam.options import EverythingOptions
from unseg_bench.blocks.sam.segmenter import SamEmbedding, SamSegmenter

from .crops import cut_crops, keep_plausible
from .options import ChoiceOptions, SalipOptions
from .pictures import SlicePicture


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Of each crop, (N,) float32: `cosine` to the tumour captions; `probability` of tumour against background."""

    cosine: NDArray[np.float32]
    probability: NDArray[np.float32]


def score(cosines: NDArray[np.float32], logit_scale: float) -> Scores:
    """From cosines (N, 2), tumour first: exp(a c_t) / (exp(a c_t) + exp(a c_b)) with a the model's logit scale."""
    logits = np.clip(logit_scale * (cosines[:, 1] - cosines[:, 0]), -80.0, 80.0)
    return Scores(cosines[:, 0], (1.0 / (1.0 + np.exp(logits))).astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class SliceResult:
    """All steps of one slice, masks and boxes in pixels of its picture.

    `proposals`: SAM's; `candidates`: those that passed the filters and have a crop, with their `scores`; `kept`: the
    numbers of the candidates whose boxes were given back to SAM, best first; `mask`: SAM's answer to them, (H, W).
    """

    number: int
    proposals: list[Proposal]
    candidates: list[Proposal]
    scores: Scores
    kept: NDArray[np.intp]
    mask: NDArray[np.bool_]


class Pipeline:
    """Both models and the captions, loaded once."""

    def __init__(self, options: SalipOptions, *, device: str, offline: bool) -> None:
        sam, clip = options.sam, options.clip
        self._options = options
        self._sam = SamSegmenter(sam.model, sam.weights, device=device, offline=offline, precision=sam.precision)
        self._clip = ClipScorer(clip.model, clip.pretrained, device=device, offline=offline)
        self._classes = self._clip.class_features(
            [clip.tumour_captions, clip.background_captions], equal_weights=clip.equal_weights
        )

    def run(self, one: SlicePicture, settings: EverythingOptions) -> SliceResult:
        """All steps on one slice, with these settings of everything mode; the slice is encoded once."""
        embedding = self._sam.encode(one.picture)
        proposals = everything(self._sam, one.picture, settings, embedding=embedding)
        candidates, scores = self.rank(proposals, one)
        kept = choose(scores, self._options.choice)
        mask = self.outline(embedding, [candidates[number] for number in kept])
        return SliceResult(one.number, proposals, candidates, scores, kept, mask)

    def rank(self, proposals: list[Proposal], one: SlicePicture) -> tuple[list[Proposal], Scores]:
        """Return the proposals that may be a tumour and have a crop, and what CLIP says of their crops."""
        plausible = keep_plausible(proposals, one, self._options.filters)
        candidates, crops = cut_crops(one.picture, plausible, self._options.crops)
        cosines = self._clip.cosines(crops, self._classes, batch_size=self._options.clip.batch)
        return candidates, score(cosines, self._clip.logit_scale)

    def outline(self, embedding: SamEmbedding, chosen: list[Proposal]) -> NDArray[np.bool_]:
        """Return the union of SAM's single masks of the boxes, (H, W); empty of none."""
        masks, _ = self._sam.segment_many(embedding, [box_prompt(one.box) for one in chosen])
        return np.asarray(masks.any(axis=0))


def choose(scores: Scores, options: ChoiceOptions) -> NDArray[np.intp]:
    """Return the numbers of the crops that are kept, best first; the rules are those of `ChoiceOptions`."""
    ranking = np.argsort(-scores.cosine, kind="stable")
    if not len(ranking):
        return ranking
    if options.rule == "k-sigma":
        level = scores.cosine.max() - options.sigmas * scores.cosine.std()
        return ranking[scores.cosine[ranking] >= level]
    if options.rule == "class-softmax":
        ranking = ranking[scores.probability[ranking] >= options.min_probability]
    return ranking[: options.k]
