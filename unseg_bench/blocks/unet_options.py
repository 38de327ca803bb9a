"""Options of a U-Net stage; apart from the code that needs torch, so that naming a method does not load it."""

from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Norm: TypeAlias = Literal["batch", "instance"]
LossName: TypeAlias = Literal["cross-entropy", "dice-ce"]
Orientation: TypeAlias = Literal["as-is", "left-right", "axial-turns"]
"""How a patch may be turned: not; mirrored along x; turned by 90 degrees in x-y and mirrored along x or y."""

Size: TypeAlias = tuple[int, int, int]


class UNetOptions(BaseModel):
    """Network and training. The defaults are CLISC's (section 3 of the paper; momentum, decay, dropout, loss and
    turns from its reference code): 16-256 channels, 128^3, SGD 0.01, batch 2, 400 epochs, last epoch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    spacing_mm: float | None = Field(default=None, gt=0)
    """Isotropic voxel size that the network works at; None: each volume's own."""
    channels: tuple[int, ...] = Field(default=(16, 32, 64, 128, 256), min_length=2)
    """Feature channels of each level; one level fewer than that is the number of downsamplings."""
    half_grid: bool = False
    """The levels work at half the resolution, between a stem and a head on the full one: fine outlines at low cost."""
    norm: Norm = "batch"
    dropout: float = Field(default=0.3, ge=0, lt=1)
    foreground_prior: float | None = Field(default=None, gt=0, lt=1)
    """Share of voxels that the untrained network calls tumour; None: one half."""
    patch: Size = (128, 128, 128)
    batch: int = Field(default=2, ge=1)
    epochs: int = Field(default=400, ge=1)
    steps: int | None = Field(default=None, ge=1)
    """Number of optimisation steps, whatever the cohort's size; None: `epochs` times the batches of the cohort."""
    loss: LossName = "cross-entropy"
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(default=0.01, gt=0)
    schedule: Literal["constant", "polynomial", "one-cycle"] = "polynomial"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of SGD."""
    weight_decay: float = Field(default=1e-4, ge=0)
    precision: Literal["float32", "mixed"] = "mixed"
    """'mixed': bfloat16 where the device has it in hardware, which halves the time of a step; float32 elsewhere."""
    orientation: Orientation = "axial-turns"
    intensity: bool = False
    """Vary brightness, contrast, gamma, noise and blur of the patches."""
    foreground_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the patches that are placed on a tumour voxel of the label."""

    @model_validator(mode="after")
    def _turns_need_square_patches(self) -> Self:
        if self.orientation == "axial-turns" and self.patch[0] != self.patch[1]:
            raise ValueError(f"orientation 'axial-turns' needs a patch with equal x and y, not {self.patch}")
        return self

    def steps_for(self, cases: int) -> int:
        """Return the number of optimisation steps for a cohort of `cases`."""
        return self.steps or self.epochs * -(-cases // self.batch)


class UNetInference(BaseModel):
    """How a trained network segments a volume; changing it trains nothing again.

    `way`: 'sliding' windows of the training patch's size, the 'whole' volume in one pass, or 'resized': the whole
    volume resized to the training patch's size by nearest neighbour and back, as CLISC's reference code does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    way: Literal["sliding", "whole", "resized"] = "sliding"
    mirror: bool = False
    """Average with the prediction of the volume mirrored left to right."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    component: Literal["all", "largest", "surest"] = "all"
    """Which connected component to keep: all, that with the most voxels, or that with the most probability."""


DEMO_UNET: dict[str, Any] = {
    "spacing_mm": 2.0,
    "half_grid": True,
    "channels": (16, 32, 64, 128),
    "norm": "instance",
    "dropout": 0.0,
    "foreground_prior": 0.02,
    "patch": (64, 80, 64),
    "loss": "dice-ce",
    "optimizer": "adam",
    "learning_rate": 1e-2,
    "schedule": "one-cycle",
    "orientation": "left-right",
    "foreground_share": 0.5,
}
"""A network that learns something in a minute on two cores, for `demo` presets; they add the number of steps."""

DEMO_INFERENCE: dict[str, Any] = {"way": "whole", "mirror": True, "component": "surest"}
"""How `demo` presets segment with it."""

CHECK_UNET: dict[str, Any] = {
    **DEMO_UNET,
    "spacing_mm": 8.0,
    "half_grid": False,
    "channels": (4, 8),
    "patch": (12, 16, 12),
    "steps": 12,
    "foreground_prior": 0.5,
}
"""The smallest network that finds anything, for `check` presets."""
