"""What SaLIP costs, computed: nearly all of it is SAM's encoder, of each slice and of its crops."""

from collections.abc import Sequence

from unseg_bench import CaseCounts, Cost
from unseg_bench.blocks.costs import CLIP_PICTURE, MINIATURE_PICTURE, SAM_ENCODER, SAM_PROMPT, slices, transformer_s

from .options import SalipOptions

_PROPOSALS = 20
"""Of a slice, that are left for CLIP; an assumption, and a small part of the whole."""


def costs_of(options: SalipOptions, counts: CaseCounts) -> Sequence[Cost]:
    """Return the cost of all cases, and of the authors' search where it is asked for."""
    o, search = options, options.search
    count = -(-slices(o.spacing_mm) // o.pictures.every)
    flop = counts.segmented * count * _slice(o)
    found = [Cost("segment", flop, transformer_s(flop))]
    if search.by == "labels":
        tried = search.draws * min(search.cases, counts.validation) * search.slices * _slice(o)
        found.insert(0, Cost("salip-search", tried, transformer_s(tried), depends=str(o)))
    return found


def _slice(o: SalipOptions) -> float:
    """FLOP of one slice."""
    crops = sum(4**layer for layer in range(1, o.everything.crop_n_layers + 1))
    side = o.everything.points_per_side
    points = side**2 + crops * (side // o.everything.crop_n_points_downscale_factor) ** 2
    small = o.sam.model == "miniature"
    clip = MINIATURE_PICTURE if o.clip.pretrained == "miniature" else CLIP_PICTURE
    asked = 0.0 if small else (points + 1) * SAM_PROMPT
    return (1 + crops) * SAM_ENCODER[o.sam.model] + asked + _PROPOSALS * clip
