"""Options of VAEs with a constraint on an inner map (GradCAMCons, AMCons); apart from what needs torch.

Sources. "2021": Silva-Rodriguez, Naranjo, Dolz, BMVC 2021, and its repository cvblab/anomaly_localization_vae_gcams.
"2022": the same authors, Medical Image Analysis 80:102526, and its repository jusiro/constrained_anomaly_segmentation.
"""

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from unseg_bench.plugins.method import MethodOptions

MapKind: TypeAlias = Literal["activation", "grad-cam"]
"""The map of the shallowest residual stage: the mean of its channels, without any gradient; or their sum, each weighted
by the spatial mean of the gradient of all latent means together, without ReLU (the 2021 code). The 2022 code computes
these weights for its 'GradCAMCons' too, and then takes the plain mean."""

Layout: TypeAlias = Literal["2022", "2021"]


class SliceOptions(MethodOptions):
    """Axial slices as the network sees them: 8 bits in a square of fixed size in mm, 0 outside the brain only.

    A volume arrives with z-scores, whose zero and unit are its own. Its grey values are found again from its brain
    alone: the quantile `low` becomes the darkest grey, `high` 1, what lies beyond is clipped. The repositories divide
    by the maximum, one voxel.
    """

    size: int = Field(default=224, ge=32, multiple_of=32)
    """Pixels of a side (both repositories: 224)."""
    field_mm: float = Field(default=240.0, gt=0)
    """Length of a side; both repositories take whole slices of 240 mm."""
    low: float = Field(default=0.001, ge=0, lt=0.5)
    high: float = Field(default=0.999, gt=0.5, le=1)
    min_brain_share: float = Field(default=0.01, ge=0, lt=1)
    """Slices with less than this share of the largest slice's brain area are not learned from, and stay empty."""
    erosion_px: int = Field(default=6, ge=1)
    """Maps count in the brain eroded by a square of so many pixels (both repositories: 6)."""
    middle: int | None = Field(default=None, ge=1)
    """Learn from so many slices in the middle of the brain's height alone (both repositories: 10). They score these ten
    alone too; here every slice of a case is segmented and scored."""
    jpeg: bool = False
    """Pass pictures through lossy JPEG (both repositories); grey that bleeds out of the brain counts as brain then."""
    histogram: Literal["own", "reference", "reference-cut-at-test"] = "own"
    """'reference': match each picture's grey values, background included, to the middle one of the training slices (the
    2021 code). 'reference-cut-at-test': pictures that are segmented are matched to its middle two thirds (the 2022
    code), so that their brain turns brighter and flatter than in training."""

    @model_validator(mode="after")
    def _erosion_leaves_something(self) -> Self:
        if self.erosion_px >= self.size:
            raise ValueError("slices.erosion_px must be smaller than slices.size")
        return self


class NetworkOptions(MethodOptions):
    """The VAE. `layout`: encoder and decoder as in the code of that year; both end in `latent` numbers a picture.

    '2022': 7 x 7 convolution of stride 2 (no norm, ReLU or pooling after it), ResNet-18's four stages; a decoder of
    four levels. '2021': the same with max-pooling after the convolution, and a decoder of five.
    """

    layout: Layout = "2022"
    width: int = Field(default=64, ge=4, multiple_of=4)
    """Channels of the first stage; later ones have 2, 4 and 8 times as many."""
    latent: int = Field(default=32, ge=1)


class LossOptions(MethodOptions):
    """Reconstruction + `kl_weight` * KL + `constraint_weight` * constraint.

    `scale`: 'summed' over pixels and latent numbers, per picture (2022), or their 'mean' (2021). Weights belong to one
    scale: at 224 pixels and 32 numbers they differ by factors of 50 176 and 32.
    """

    scale: Literal["summed", "mean"] = "summed"
    kl_weight: float = Field(default=10.0, ge=0)
    constraint: Literal["entropy", "size"] = "entropy"
    """'entropy': the map's softmax over the eroded brain (of all pictures of a batch united) shall have high entropy.
    'size': the mean over the picture, background included, of the map's sigmoid shall be at least 1 - `share`, by the
    extended log-barrier of steepness `barrier`."""
    constraint_weight: float = Field(default=0.1, ge=0)
    """0: a plain VAE."""
    share: float = Field(default=0.2, ge=0, lt=1)
    barrier: float = Field(default=20.0, gt=0)
    warm_up_epochs: int = Field(default=0, ge=0)
    """The constraint acts in epochs after this one, counted from 0 (2022: 0 for the entropy, 50 for the size)."""
    warm_up_steps: int | None = Field(default=None, ge=0)
    """In place of the epochs, as many as hold so many steps, rounded (2021: 400)."""


class TrainingOptions(MethodOptions):
    """Adam with a constant rate; an incomplete last batch is left out, the last epoch's weights are kept."""

    epochs: int = Field(default=300, ge=1)
    batch: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    precision: Literal["float32", "mixed"] = "float32"
    """'mixed': bfloat16 on GPUs that have it in hardware; float32 elsewhere, and so on every CPU."""


class InferenceOptions(MethodOptions):
    """From network to map. `batch`: slices at once.

    `scale`: 'raw'; 'normals': the range over the normal slices that were learned from becomes 0 ... 1, which changes no
    mask; 'slice': of each slice the lowest value in the eroded brain becomes 0, then the highest 1 (2021);
    'slice-2022': the lowest of the rows' maxima becomes 0, then the highest 1. The last two raise every slice to 1, a
    normal one too.
    """

    scale: Literal["raw", "normals", "slice", "slice-2022"] = "raw"
    batch: int = Field(default=32, ge=1)


class FitOptions(MethodOptions):
    """What the stage 'constrained-vae' reads."""

    map: MapKind
    slices: SliceOptions
    network: NetworkOptions
    loss: LossOptions
    training: TrainingOptions


class MapOptions(MethodOptions):
    """What maps depend on beside the trained network."""

    map: MapKind
    slices: SliceOptions
    network: NetworkOptions
    inference: InferenceOptions
