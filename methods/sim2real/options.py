"""Sim2Real's options, one group a step; a stage is given its own groups and nothing else."""

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from unseg_bench import MethodOptions
from unseg_bench.blocks.normals import NormalsOptions
from unseg_bench.blocks.simulated_tumours.options import SimulatorOptions

Size: TypeAlias = tuple[int, int, int]

Scale: TypeAlias = Literal["shared", "separate"]
"""What the two layers are learned in.

- `shared`: both in the mixed image's own mean and deviation, so that tumour inside its mask and normal outside add up
  to the input; 0 where nothing is to be seen: outside the brain, and of the tumour layer outside the mask
- `separate` (authors' code): each in its own mean and deviation, which loses where one lies against the other; the
  background, 0 before, becomes -mean / deviation
"""


class GridOptions(MethodOptions):
    """What the network sees: the brain's box, stretched to `size` voxels (published: 128^3)."""

    size: Size = (128, 128, 128)


class NetworkOptions(MethodOptions):
    """The restoring network: one channel in, three out."""

    kind: Literal["unet3d", "half-grid"] = "unet3d"
    """'unet3d': the published one. 'half-grid': its levels work at half the resolution, for few cores."""
    base: int = Field(default=32, ge=1)
    """Channels of the first convolution; 32 makes the published 19.07 million parameters."""
    prior: float | None = Field(default=None, gt=0, lt=1)
    """Share of voxels that the untrained network calls tumour; None (authors' code): about one half."""
    norm: Literal["instance", "batch"] = "instance"
    """'batch' (authors' code): batch norm that always uses the batch's own statistics, when it is asked too. With two
    samples a batch that is close to 'instance', which does not let one volume change the answer of another."""


class SimulationOptions(MethodOptions):
    """Where pairs of an image with tumour and the same without come from.

    - `mixing` (published): tissue of another brain, brightened, blended into a normal one (`mixing` are its options)
    - `phantom`: phantom tumours in phantom heads; an addition. Not where the data set is the phantom itself
    """

    simulator: Literal["mixing", "phantom"] = "mixing"
    mixing: SimulatorOptions = SimulatorOptions.model_validate({})
    whole_numbers: bool = False
    """Images are cut down to whole hundredths of their deviation, as whole numbers (authors' code: int16, on FLAIR
    intensities whose deviation is near 100)."""
    phantoms: int = Field(default=300, ge=2)
    """Pairs that are made for `phantom`."""
    phantom_spacing_mm: float = Field(default=1.0, ge=0.8, le=4)
    """Voxel size of these phantoms; for a coarse grid, such as the demo's, 2 is fine enough and much quicker."""


class TrainingOptions(MethodOptions):
    """Stage I. Losses and their weights are fixed: mask Dice, and L1 of both layers, once all over and once inside the
    tumour, each with weight 1.
    """

    scale: Scale = "shared"
    batch: int = Field(default=2, ge=1)
    steps: int = Field(default=71_500, ge=1)
    """Published: up to 500 epochs of 143 batches."""
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Literal["constant", "polynomial", "one-cycle"] = "polynomial"
    """The authors lower the rate where the training loss stands still, and end there; these know no loss."""
    weight_decay: float = Field(default=3e-5, ge=0)
    """As Adam's L2 term (authors' code)."""
    precision: Literal["float32", "mixed"] = "mixed"
    """'mixed': bfloat16 on GPUs that have it in hardware; float32 elsewhere, and so on every CPU."""
    keep: Literal["last", "best-recomposition", "best-validation-dice"] = "last"
    """Which weights of stage I: the last; those that recompose the unlabelled validation images best (as the authors'
    'best_valid_model', there on the test images); or those with the best Dice on validation masks: label use (authors'
    'best_test_model', there on the test masks)."""
    validate_every: int = Field(default=143, ge=1)


class AdaptationOptions(MethodOptions):
    """Stage II, learned from unlabelled training volumes. No source tells its numbers; these were fixed without labels.

    A round: predict, label by mask and bright residual, keep the cases that recompose best, learn them beside fresh
    simulated ones, as many of each a batch.
    """

    rounds: int = Field(default=2, ge=0)
    """0: stage I alone."""
    steps: int = Field(default=2_000, ge=1)
    """A round."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Of the cases, those with the lowest error, that teach. The published cut-off is read off a plot of error against
    true Dice; a share needs no such plot."""
    learning_rate: float = Field(default=1e-4, gt=0)
    keep_share: float = Field(default=1 / 3, ge=0, le=1)
    """Components of a pseudo-label smaller than this share of the largest one are dropped."""
    stop: float = Field(default=0.01, ge=0, lt=1)
    """No further round once the predictions differ less than that from those before (1 - Dice, mean over cases)."""


class AnswerOptions(MethodOptions):
    """What of the outputs is the answer; the other one is scored beside it."""

    output: Literal["mask", "tumour-layer"] = "mask"
    """'mask': its probability above 0.5. 'tumour-layer' (authors' `evaluate.py`): where that layer is above 0, which
    means something on the scale 'separate' alone."""
    mirror: bool = False
    """Average with the prediction of the volume mirrored left to right, for pseudo-labels too; an addition."""
    back: Literal["nearest", "linear"] = "nearest"
    """How a probability returns to the volume's own grid, where it is cut. 'nearest' is the authors' way."""
    component: Literal["all", "largest"] = "all"
    """Keep the largest connected component alone; an addition."""


class Sim2RealOptions(MethodOptions):
    """All options."""

    grid: GridOptions = GridOptions()
    normals: NormalsOptions = NormalsOptions()
    simulation: SimulationOptions = SimulationOptions()
    network: NetworkOptions = NetworkOptions()
    training: TrainingOptions = TrainingOptions()
    adaptation: AdaptationOptions = AdaptationOptions()
    answer: AnswerOptions = AnswerOptions()

    @model_validator(mode="after")
    def _the_layer_has_a_level(self) -> Self:
        if self.answer.output == "tumour-layer" and self.training.scale != "separate":
            raise ValueError("answer.output 'tumour-layer' needs training.scale 'separate'")
        return self

    @model_validator(mode="after")
    def _levels_fit(self) -> Self:
        multiple = 8 if self.network.kind == "unet3d" else 16
        if any(n % multiple or n < 2 * multiple for n in self.grid.size):
            raise ValueError(
                f"grid.size {self.grid.size}: the levels of network.kind '{self.network.kind}' need multiples of "
                f"{multiple}, from {2 * multiple} upwards"
            )
        return self
