"""The pretrained models that CLISC starts from; found before any stage, since cache keys have their digests."""

from dataclasses import dataclass
from functools import cache

from unseg_bench.blocks.clip import ClipScorer, clip_weights
from unseg_bench.blocks.sam_slices import LazySam
from unseg_bench.blocks.weights import WeightsFile, resolve
from unseg_bench.plugins.context import Context

from .options import CliscOptions

NO_WEIGHTS = "random"


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of each model's weights; 'random' for a classifier that starts from none."""

    clip: str
    classifier: str
    sam: str


class Models:
    """CLIP and SAM, built when a stage that is not cached needs one, once for all stages of a run.

    Finds (or downloads) all weights and writes their digests into the run; raises WeightsError.
    """

    def __init__(self, options: CliscOptions, context: Context) -> None:
        offline = context.offline
        clip = clip_weights(options.clip.model, options.clip.pretrained, offline=offline)
        sam = resolve(options.sam.weights, offline=offline)
        start = None if options.classifier.weights is None else resolve(options.classifier.weights, offline=offline)
        for file in (clip, sam, start):
            if file is not None:
                context.record_weights(file.name, file.sha256)
        self.digests = Digests(clip.sha256, _digest(start), sam.sha256)
        self.sam = LazySam(options.sam, context.device, offline=offline)
        self.clip = cache(
            lambda: ClipScorer(options.clip.model, options.clip.pretrained, device=context.device, offline=offline)
        )


def _digest(file: WeightsFile | None) -> str:
    return NO_WEIGHTS if file is None else file.sha256
