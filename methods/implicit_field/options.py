"""Options of the implicit field, one group a step; "published" is the authors' code and its notebook."""

import math
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from unseg_bench import MethodOptions
from unseg_bench.blocks.normals import NormalsOptions
from unseg_bench.blocks.thresholds import ThresholdOptions


class ScanOptions(MethodOptions):
    """From a volume to a cube of intensity classes that the brain fills; coordinates run over it from -1 to 1.

    The published cube is the whole field of view, 210 mm in training and 240 mm at test, so that the same brain had
    two sizes. Here the margin around the brain's box is fixed instead.
    """

    side: int = Field(default=160, ge=4, le=320)
    """Voxels along the cube (published: 160, or 300 in training and 240 at test)."""
    margin_mm: float = Field(default=10.0, ge=0)
    """Air on both sides of the longest side of the brain's box."""
    side_mm: float | None = Field(default=None, gt=0)
    """The cube is at least as wide; 240: the field of view of BraTS, as published. None: by the margin alone."""
    scaling: Literal["percentiles", "robust"] = "percentiles"
    """Which intensities become 0 and 1: two percentiles of the brain (published), which a tumour above the upper one
    moves, and all normal tissue's classes with it; or, an addition, the median less and plus three robust standard
    deviations.
    """
    clip_percentiles: tuple[float, float] = (2.0, 98.0)
    """Published; only the scaling by percentiles reads it."""
    centres: Literal["k-means", "published"] = "k-means"
    """Centres of the intensity classes: found by k-means on the training normals' brains, or the ten published ones,
    which were found on T2-weighted scans.
    """
    classes: int = Field(default=10, ge=3, le=100)
    """Classes in all, the background included (published: 10). The published centres bring their own number."""
    background: Literal["own", "shared"] = "own"
    """What lies outside the brain: a class of its own, or, as published, intensity 0, in the darkest brain's class."""
    mode_pool_mm: float = Field(default=3.0, ge=0)
    """Each voxel gets the commonest class within a cube of this width (published: two voxels of 1.5 mm)."""
    even_windows: bool = False
    """Allow windows of an even number of voxels, which look back by half a voxel (published); else always odd."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        low, high = self.clip_percentiles
        if not 0 <= low < high <= 100:
            raise ValueError("clip_percentiles: two of 0 to 100, the lower one first, e.g. 2, 98")
        return self


class NetworkOptions(MethodOptions):
    """The multi-layer perceptron (published: DeepSDF's decoder): 1,847,698 parameters by default."""

    octaves: int | None = Field(default=10, ge=1, le=16)
    """Frequencies of the positional encoding, pi times 1, 2, 4 ... (published: 10). None: those that the grid can
    show, floor(log2(side / 2)) + 1.
    """
    code: int = Field(default=256, ge=1)
    """Numbers in the code of a scan."""
    width: int = Field(default=512, ge=1)
    layers: int = Field(default=8, ge=2)
    """Hidden layers, each with weight normalisation, ReLU and dropout."""
    join_after: int = Field(default=4, ge=1)
    """The inputs are joined again to the outputs of this hidden layer, which is narrower by as much."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    precision: Literal["float32", "mixed"] = "mixed"
    """In training and in the fit; maps are computed in float32. 'mixed': bfloat16 on GPUs that have it in hardware."""

    @model_validator(mode="after")
    def _room_for_the_join(self) -> Self:
        if self.join_after >= self.layers:
            raise ValueError("network.join_after must be less than network.layers")
        if self.octaves is not None and self.width <= self.code + 6 * self.octaves:
            raise ValueError("network.width must exceed the inputs, network.code + 6 * network.octaves")
        return self

    def octaves_for(self, side: int) -> int:
        """Return the number of frequencies on a cube of `side` voxels."""
        return math.floor(math.log2(side / 2)) + 1 if self.octaves is None else self.octaves


class TrainingOptions(MethodOptions):
    """Network and codes are trained together with Adam; both rates are halved at each quarter of the steps."""

    steps: int | None = Field(default=None, ge=1)
    """None: the published 2001 epochs of the training scans, but at least 50,000 steps, for small cohorts."""
    scans: int = Field(default=6, ge=1)
    """Scans a step."""
    points: int = Field(default=16_384, ge=1)
    """Voxels of each, drawn with replacement."""
    cube_share: float = Field(default=1.0, ge=0, le=1)
    """Share of the points drawn from the whole cube, air included (published: all); the others from the brain. The fit
    draws in the same way.
    """
    learning_rate: float = Field(default=5e-4, gt=0)
    code_learning_rate: float = Field(default=1e-3, gt=0)
    code_penalty: float = Field(default=1e-4, ge=0)
    """Weight of a code's norm (not squared); it grows linearly over the first twentieth of the steps (published: 100 of
    2001 epochs).
    """

    def steps_for(self, scans: int) -> int:
        """Return the number of steps for so many training scans."""
        return self.steps or max(50_000, 2001 * math.ceil(scans / self.scans))


class FitOptions(MethodOptions):
    """The code of a scan that was not trained on: Adam on random voxels, the network fixed; then Adam anew on more."""

    cap: bool = True
    """Keep the code in the ball of norm 1 that all trained codes lie in. Off, as published: the code may then leave it
    and explain the tumour.
    """
    steps: tuple[PositiveInt, PositiveInt] = (501, 101)
    points: tuple[PositiveInt, PositiveInt] = (10_000, 50_000)
    learning_rate: float = Field(default=1e-3, gt=0)
    cases: int = Field(default=8, ge=1)
    """How many cases are fitted at once; each as if it were alone."""


class SmoothingOptions(MethodOptions):
    """The map's filters, as cubes by their width in mm; off where that is nearer to one voxel than to three."""

    min_pool_mm: float = Field(default=4.5, ge=0)
    """The lowest value within (published: 3 voxels of 1.5 mm)."""
    mean_pool_mm: float = Field(default=22.5, ge=0)
    """Then the mean within, zero outside of the cube (published: 15 voxels of 1.5 mm)."""


class LearningOptions(MethodOptions):
    """What the trained network depends on."""

    scan: ScanOptions
    network: NetworkOptions
    training: TrainingOptions


class MappingOptions(MethodOptions):
    """What a map depends on, beside the trained network."""

    scan: ScanOptions
    network: NetworkOptions
    fit: FitOptions
    smoothing: SmoothingOptions
    cube_share: float


class ImplicitFieldOptions(MethodOptions):
    """All options. `normals`: what is learned from; with sources 'clip' and 'slice-labels' no point is drawn from
    other slices. `thresholds`: published is `rule=best-dice` on annotated cases.
    """

    normals: NormalsOptions = NormalsOptions()
    scan: ScanOptions = ScanOptions()
    network: NetworkOptions = NetworkOptions()
    training: TrainingOptions = TrainingOptions()
    fit: FitOptions = FitOptions()
    smoothing: SmoothingOptions = SmoothingOptions()
    thresholds: ThresholdOptions = ThresholdOptions()

    @property
    def learning(self) -> LearningOptions:
        """What the stage that trains reads."""
        return LearningOptions(scan=self.scan, network=self.network, training=self.training)

    @property
    def mapping(self) -> MappingOptions:
        """What the stages that make maps read."""
        return MappingOptions(
            scan=self.scan,
            network=self.network,
            fit=self.fit,
            smoothing=self.smoothing,
            cube_share=self.training.cube_share,
        )
