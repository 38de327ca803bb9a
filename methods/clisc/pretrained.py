"""The pretrained weights that CLISC starts from, found before any stage: their digests belong to the cache keys."""

from dataclasses import dataclass

from unseg_bench.blocks.clip import clip_weights
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


def find_weights(options: CliscOptions, context: Context) -> Digests:
    """Find (or download) all weights, write their digests into the run, and return them; raises WeightsError."""
    offline = context.offline
    clip = clip_weights(options.clip.model, options.clip.pretrained, offline=offline)
    sam = resolve(options.sam.weights, offline=offline)
    start = None if options.classifier.weights is None else resolve(options.classifier.weights, offline=offline)
    for file in (clip, sam, start):
        if file is not None:
            context.record_weights(file.name, file.sha256)
    return Digests(clip.sha256, _digest(start), sam.sha256)


def _digest(file: WeightsFile | None) -> str:
    return NO_WEIGHTS if file is None else file.sha256
