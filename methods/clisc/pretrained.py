"""The pretrained models that CLISC starts from; found before any stage, since cache keys have their digests."""

from unseg_bench import Context
from unseg_bench.blocks.clip.labels import ClipModel
from unseg_bench.blocks.sam.slices import LazySam
from unseg_bench.blocks.weights import resolve

from .options import CliscOptions

NO_WEIGHTS = "random"


class Models:
    """CLIP and SAM, built when a stage that is not cached needs one, once for all stages of a run.

    Finds (or downloads) all weights and writes their digests into the run; raises WeightsError. `classifier_digest` is
    the SHA-256 of the classifier's initial weights, 'random' where it starts from none.
    """

    def __init__(self, options: CliscOptions, context: Context) -> None:
        self.clip = ClipModel(options.clip, context)
        self.sam = LazySam(options.sam, context)
        self.classifier_digest = NO_WEIGHTS
        if options.classifier.weights is not None:
            start = resolve(options.classifier.weights, offline=context.offline)
            context.record_weights(start.name, start.sha256)
            self.classifier_digest = start.sha256
