"""The pretrained models that CLISC starts from; found before any stage, since cache keys have their digests."""

from dataclasses import dataclass

from unseg_bench import Context
from unseg_bench.blocks.clip.labels import ClipModel
from unseg_bench.blocks.sam.slices import LazySam
from unseg_bench.blocks.weights import WeightsFile, resolve

from .options import CliscOptions

NO_WEIGHTS = "random"


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of the weights; 'random' for a classifier that starts from none. CLIP has its own."""

    classifier: str
    sam: str


class Models:
    """CLIP and SAM, built when a stage that is not cached needs one, once for all stages of a run.

    Finds (or downloads) all weights and writes their digests into the run; raises WeightsError.
    """

    def __init__(self, options: CliscOptions, context: Context) -> None:
        offline = context.offline
        self.clip = ClipModel(options.clip, context)
        sam = resolve(options.sam.weights, offline=offline)
        start = None if options.classifier.weights is None else resolve(options.classifier.weights, offline=offline)
        for file in (sam, start):
            if file is not None:
                context.record_weights(file.name, file.sha256)
        self.digests = Digests(_digest(start), sam.sha256)
        self.sam = LazySam(options.sam, context.device, offline=offline)


def _digest(file: WeightsFile | None) -> str:
    return NO_WEIGHTS if file is None else file.sha256
