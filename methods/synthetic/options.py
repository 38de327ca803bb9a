"""Options of `synthetic`, and the architecture that its shipped weights fit."""

from typing import Literal

from pydantic import Field

from unseg_bench import MethodOptions
from unseg_bench.blocks.region import RegionOptions
from unseg_bench.blocks.unet.options import Mirroring, UNetOptions

SPACING_MM = 2.5
"""Of the grid that the pair works on."""

HEAD_SPACING_MM = 2.0
"""Of the heads that it learns from."""

NETWORK = UNetOptions(
    spacing_mm=SPACING_MM,
    half_grid=True,
    channels=(16, 32, 64, 80),
    norm="instance",
    dropout=0.0,
    foreground_prior=0.02,
    patch=(48, 64, 48),
    batch=2,
    loss="dice-ce",
    optimizer="adam",
    schedule="one-cycle",
    weight_decay=1e-3,
    precision="float32",
    orientation="as-is",
)
"""One half of the pair, 971,794 parameters, and how it is trained; the script has its steps and learning rates."""


class AdaptationOptions(MethodOptions):
    """Training on, without labels, on the training part's images: the pair's own answers where its halves agree."""

    steps: int = Field(default=0, ge=0)
    """Of each half; 0: none, the weights are used as they are."""
    learning_rate: float = Field(default=5e-4, gt=0)
    min_agreement: float = Field(default=0.8, ge=0, le=1)
    """Dice of the two halves' masks that a case needs to be learned from."""
    sure: float = Field(default=0.2, gt=0, le=0.5)
    """A voxel of such a case counts where the probabilities of both halves are below this, or both above 1 minus
    this."""
    heads: int = Field(default=60, ge=0)
    """New heads with known tumours, mixed in half and half so that the pair does not drift; 0: patients alone."""


class SyntheticOptions(RegionOptions):
    """`weights`: a name of `ubench weights`, or a file that `scripts/train_synthetic.py` wrote."""

    weights: str = "synthetic"
    networks: Literal["first", "second", "both"] = "first"
    """Which half of the pair answers; 'both': the mean of their probabilities. Measured by tissue outside the tumour,
    the second erases large masses."""
    mirror: Mirroring = "left-right"
    """Average with the predictions of the volume mirrored left to right, or along each axis and several (8 in all)."""
    standardise: Literal["brain", "outside-tumour"] = "outside-tumour"
    """What has mean 0 and standard deviation 1: the whole brain, or, in two passes, the tissue outside the tumour. A
    large tumour is part of the whole brain's own mean and deviation, and drowns itself."""
    gain: float = Field(default=1.3, gt=0)
    """The second pass sees its image times this: pale oedema is then as bright as what the networks learned from."""
    adaptation: AdaptationOptions = AdaptationOptions()
