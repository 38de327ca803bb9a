"""What networks that methods share cost, for `Method.costs`: FLOP as torch's counter finds them, bytes, least times.

benchmarks/method_cost.py counts the same networks, and a test holds both together. A head is taken to have the brain's
box of `HEAD` at 1 mm, and tumour in 45 % of its slices.
"""

import math
from collections.abc import Sequence

from unseg_bench.blocks.sam.options import SamModel, SamOptions
from unseg_bench.blocks.unet.options import UNetOptions
from unseg_bench.plugins.cost import GPU_TFLOPS, Cost
from unseg_bench.plugins.digests import digest_of

HEAD = (140, 170, 140)
"""Voxels of a brain's box at 1 mm."""
TUMOUR_SHARE = 0.45
CLIP_PICTURE, MINIATURE_PICTURE = 8.818e9, 2e8
"""CLIP's ViT-B/32, and the miniature, of one picture."""
RESNET50_STEP = 2.429e10
"""ResNet-50, forward and backward, of one picture of 224 pixels."""
RESNET50_STEP_S = 0.02
"""A step of a ResNet-50 on a GPU takes that long however few pictures it has: it waits for its 160 small kernels."""
SAM_ENCODER: dict[SamModel, float] = {"vit_b": 9.721e11, "vit_l": 2.63e12, "vit_h": 5.961e12, "miniature": 3e9}
SAM_PROMPT = 3.7e9
TRANSFORMER_TFLOPS = 14.0
"""Of a GPU on float32 matrices, which are not computed in TF32."""
_UNET_STEP, _UNET_VOXELS, _UNET_STEP_S = 1.429e12, 2 * 128**3, 0.25
"""The 3D U-Net with 16 channels at first, on two patches of 128^3, and its least time: it waits for memory."""


def voxels(spacing_mm: float | None) -> float:
    """Return the voxels of a brain's box at an isotropic spacing; None: 1 mm."""
    return math.prod(HEAD) / (spacing_mm or 1.0) ** 3


def slices(spacing_mm: float | None) -> int:
    """Return the axial slices of a brain."""
    return round(HEAD[2] / (spacing_mm or 1.0))


def tumour_slices(spacing_mm: float | None) -> int:
    """Return those with tumour."""
    return round(TUMOUR_SHARE * slices(spacing_mm))


def transformer_s(flop: float) -> float:
    """Return the seconds of a GPU for so many FLOP of float32 matrices."""
    return flop / (TRANSFORMER_TFLOPS * 1e12)


def clip_cost(stage: str, pictures: float, *, miniature: bool, depends: str = "") -> Cost:
    """Return what CLIP's image encoder costs for pictures."""
    flop = pictures * (MINIATURE_PICTURE if miniature else CLIP_PICTURE)
    return Cost(stage, flop, transformer_s(flop), depends=depends)


def sam_features_cost(stage: str, options: SamOptions, cases: int, spacing_mm: float | None) -> Cost:
    """Return what encoding the slices with tumour of so many cases costs, in blocks, and keeping it.

    What is kept is common to all that ask about the same slices of as many cases.
    """
    from unseg_bench.blocks.sam.slices import BLOCK

    several = cases * (tumour_slices(spacing_mm) + (BLOCK - 1 if options.keep_embeddings else 0))
    flop = several * SAM_ENCODER[options.model]
    size = 2 * 256 * 64 * 64 if options.model != "miniature" else 75_000
    shown = [options.shown.model_dump(mode="json"), cases, spacing_mm]
    common = f"sam-embeddings {digest_of(shown)}" if options.keep_embeddings else ""
    return Cost(stage, flop, transformer_s(flop), several * size if options.keep_embeddings else 0.0, common=common)


def unet_step(options: UNetOptions) -> float:
    """Return the FLOP of a training step."""
    factor = math.prod(options.patch) * options.batch / _UNET_VOXELS
    return _UNET_STEP * factor * (options.channels[0] / 16) ** 2 / (8 if options.half_grid else 1)


def unet_training_cost(stage: str, options: UNetOptions, cases: int, depends: str = "") -> Cost:
    """Return what training a U-Net on so many cases costs."""
    steps, flop = options.steps_for(cases), unet_step(options)
    least = _UNET_STEP_S * math.prod(options.patch) * options.batch / _UNET_VOXELS
    return Cost(stage, steps * flop, steps * max(least, flop / (GPU_TFLOPS * 1e12)), 2e8, depends)


def unet_cases_cost(
    stage: str, options: UNetOptions, cases: int, *, mirrored: int = 1, written: float = 0.0, depends: str = ""
) -> Cost:
    """Return what segmenting so many cases costs in overlapping windows; `written`: bytes per case."""
    box = [side / (options.spacing_mm or 1.0) for side in HEAD]
    windows = math.prod(
        1 + math.ceil(max(0.0, length - side) / (side // 2)) for length, side in zip(box, options.patch, strict=True)
    )
    flop = cases * windows * mirrored * unet_step(options) / options.batch / 3
    return Cost(stage, flop, bytes=cases * written, depends=depends)


def chained(*options: object) -> Sequence[str]:
    """Return the digest of each of `options` with all before it: what the stages of a chain depend on, in order."""
    return [digest_of([str(one) for one in options[: number + 1]]) for number in range(len(options))]
