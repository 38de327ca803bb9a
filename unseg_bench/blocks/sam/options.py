"""Options of SAM; apart from the code that needs torch, so that naming a method does not load it."""

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from unseg_bench.blocks.slices import Scaling
from unseg_bench.plugins.method import MethodOptions

SamModel: TypeAlias = Literal["vit_b", "vit_l", "vit_h", "miniature"]

SamPrecision: TypeAlias = Literal["float32", "bfloat16"]


class SamModelOptions(MethodOptions):
    """SAM, and how it is shown a slice. `weights`: a name that `ubench weights` lists, or a file.

    `equalise`: of the slice's histogram.
    """

    model: SamModel = "vit_b"
    weights: str = "sam-vit-b"
    scaling: Scaling = "slice"
    equalise: bool = False
    precision: SamPrecision = "float32"
    """Of the image encoder; 'bfloat16' is for GPUs that have it in hardware, and refused elsewhere."""


class SamEncoderOptions(MethodOptions):
    """What the stage 'sam-embeddings' reads: what the features of a picture depend on, beside picture and weights."""

    model: SamModel
    precision: SamPrecision


class SamOptions(SamModelOptions):
    """SAM for methods that ask about each slice more than once."""

    batch: int = Field(default=1, ge=1)
    """Slices encoded at once; does not change the result beyond rounding."""
    keep_embeddings: bool = True
    """Keep what the encoder makes of each slice (2 MiB a slice at full size), so that later prompts of the same slices
    need not encode them again, in other runs too; off: nothing is kept, where the disk is short. Does not change the
    result."""

    @property
    def shown(self) -> SamModelOptions:
        """What masks depend on."""
        return SamModelOptions(**self.model_dump(include=set(SamModelOptions.model_fields)))


class EverythingOptions(MethodOptions):
    """Everything mode: names and defaults are those of the package's `SamAutomaticMaskGenerator`, but for the edge."""

    points_per_side: int = Field(default=32, ge=1)
    pred_iou_thresh: float = Field(default=0.88, ge=0)
    """Masks with a predicted IoU above it are kept; 0 keeps all."""
    stability_score_thresh: float = Field(default=0.95, ge=0)
    """Masks whose IoU between a high and a low cut of the logits reaches it are kept; 0 keeps all."""
    stability_score_offset: float = Field(default=1.0, ge=0)
    box_nms_thresh: float = Field(default=0.7, ge=0, le=1)
    """Of two masks in one crop whose boxes have a larger IoU, that with the lower predicted IoU is dropped."""
    crop_n_layers: int = Field(default=0, ge=0)
    """Layer i cuts the slice into 4^i crops and asks each; layer 0 is the whole slice."""
    crop_nms_thresh: float = Field(default=0.7, ge=0, le=1)
    """Of two masks in different crops whose boxes have a larger IoU, that of the larger crop is dropped."""
    crop_overlap_ratio: float = Field(default=512 / 1500, ge=0, lt=1)
    crop_n_points_downscale_factor: int = Field(default=1, ge=1)
    min_mask_region_area: int = Field(default=0, ge=0)
    """Holes and islands of fewer pixels are removed; 0 removes none."""
    edge_tolerance_px: float | None = Field(default=None, ge=0)
    """Masks so near to the edge of a crop, but not of the slice, are dropped as cut off. None: 20 px of a crop 1024 px
    long, fewer for a smaller one; the package always takes 20 px, which empties the crops of a small slice."""

    @model_validator(mode="after")
    def _every_layer_has_points(self) -> Self:
        if self.points_per_side < self.crop_n_points_downscale_factor**self.crop_n_layers:
            raise ValueError("points_per_side leaves the smallest crops without a point: ask for more, or fewer layers")
        return self
