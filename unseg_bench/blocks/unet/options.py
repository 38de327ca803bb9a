"""Options of a U-Net stage; apart from the code that needs torch, so that naming a method does not load it."""

from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from unseg_bench.plugins.method import MethodOptions

Norm: TypeAlias = Literal["batch", "instance"]
LossName: TypeAlias = Literal["cross-entropy", "dice-ce"]
Upsampling: TypeAlias = Literal["transposed", "trilinear"]
"""How a decoder doubles its grid: by learned transposed convolutions (Cicek et al., 2016), or between the voxels, which
learns nothing and keeps the channels (CLISC's code)."""
Initialisation: TypeAlias = Literal["uniform", "kaiming"]
"""What convolutions start from: torch's default, or normal draws for ReLU (He et al., 2015; CLISC's code)."""
Orientation: TypeAlias = Literal["as-is", "left-right", "all-mirrors", "axial-turns", "sagittal-turns"]
"""How a patch may be turned: not; mirrored along x; along each axis; turned by a multiple of 90 degrees in x-y and
mirrored along x or y; the same in y-z and along y or z (CLISC's code, whose arrays are (Z, Y, X))."""

Augmentation: TypeAlias = Literal["none", "light", "strong"]
"""How a patch may be changed: not; in brightness, contrast, gamma, noise and blur; as nnU-Net does, which also turns
and scales it and takes away resolution (see `augmentation`)."""

Way: TypeAlias = Literal["sliding", "whole", "resized"]
"""How a volume is predicted: in windows of the training patch's size, in one pass, or resized to the training patch's
size by nearest neighbour and back, as CLISC's reference code does."""

Mirroring: TypeAlias = Literal["none", "left-right", "all-axes"]

MIRROR_AXES: dict[Mirroring, tuple[int, ...]] = {"none": (), "left-right": (0,), "all-axes": (0, 1, 2)}
"""Along which axes of (X, Y, Z) a volume is mirrored."""

TURNED_AXES: dict[Orientation, tuple[int, int]] = {"axial-turns": (0, 1), "sagittal-turns": (2, 1)}
"""From which axis of (X, Y, Z) towards which a patch is turned; it is mirrored along one of them."""

Size: TypeAlias = tuple[int, int, int]


class UNetOptions(MethodOptions):
    """Network and training. The defaults are CLISC's: 16-256 channels, 128^3, SGD 0.01, batch 2, 400 epochs (section 3
    of the paper), momentum, decay, dropout and loss of its code. Batch norm and transposed convolutions are Cicek's,
    whom the paper cites; the turns in x-y, mixed precision and the last step are ours.
    """

    spacing_mm: float | None = Field(default=None, gt=0)
    """Isotropic voxel size that the network works at; None: each volume's own."""
    network: Literal["unet", "dynunet"] = "unet"
    """'unet': Cicek et al., 2016. 'dynunet': nnU-Net's (Isensee et al., 2021), strided and with leaky ReLU."""
    channels: tuple[int, ...] = Field(default=(16, 32, 64, 128, 256), min_length=2)
    """Feature channels of each level; one level fewer than that is the number of downsamplings."""
    half_grid: bool = False
    """The levels work at half the resolution, between a stem and a head on the full one: fine outlines at low cost."""
    deep_supervision: bool = False
    """The loss also looks at coarser levels, each half as much as the finer one; all but the two coarsest."""
    norm: Norm = "batch"
    norm_affine: bool = True
    """Norms learn a scale and a shift; in CLISC's code they do not."""
    upsampling: Upsampling = "transposed"
    """Of network 'unet': 'transposed' convolutions, or 'trilinear' (CLISC's code)."""
    initialisation: Initialisation = "uniform"
    """What convolutions start from: torch's 'uniform' draws, or 'kaiming' normal ones (CLISC's code)."""
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
    nesterov: bool = False
    """SGD with Nesterov's momentum."""
    weight_decay: float = Field(default=1e-4, ge=0)
    precision: Literal["float32", "mixed"] = "mixed"
    """'mixed': bfloat16 on GPUs that have it in hardware; float32 elsewhere, and so on every CPU."""
    orientation: Orientation = "axial-turns"
    augmentation: Augmentation = "none"
    foreground_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the patches that are placed on a tumour voxel of the label."""
    keep: Literal["last", "best-validation-dice"] = "last"
    """Which weights: the last step's, or those with the best mean Dice against the validation cases' masks."""
    validate_every: int = Field(default=200, ge=1)
    """Steps between two looks at the validation cases; the last step is one of them."""
    validate_way: Way = "sliding"

    @model_validator(mode="after")
    def _turns_need_square_patches(self) -> Self:
        if self.orientation in TURNED_AXES:
            one, other = TURNED_AXES[self.orientation]
            if self.patch[one] != self.patch[other]:
                names = " and ".join("xyz"[axis] for axis in sorted((one, other)))
                raise ValueError(f"orientation '{self.orientation}' needs a patch with equal {names}, not {self.patch}")
        return self

    @model_validator(mode="after")
    def _what_a_network_has(self) -> Self:
        if self.network == "dynunet":
            if self.half_grid:
                raise ValueError("half_grid is for network 'unet'")
            if self.upsampling == "trilinear":
                raise ValueError("upsampling 'trilinear' is for network 'unet'")
            if len(self.channels) < 3:
                raise ValueError(f"network 'dynunet' needs three or more channels, not {self.channels}")
        elif self.deep_supervision:
            raise ValueError("deep_supervision needs network 'dynunet'")
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ValueError("nesterov needs optimizer 'sgd' with a momentum")
        return self

    def steps_for(self, cases: int) -> int:
        """Return the number of optimisation steps for a cohort of `cases`."""
        return self.steps or self.epochs * -(-cases // self.batch)


class UNetInference(MethodOptions):
    """How a trained network segments a volume; changing it trains nothing again."""

    way: Way = "sliding"
    mirror: Mirroring = "none"
    """Average with the predictions of the volume mirrored left to right, or along each axis and several (8 in all)."""
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

DEMO_INFERENCE: dict[str, Any] = {"way": "whole", "mirror": "left-right", "component": "surest"}
"""How `demo` presets segment with it."""

NNUNET: dict[str, Any] = {
    "spacing_mm": 1.0,
    "network": "dynunet",
    "channels": (32, 64, 128, 256, 320, 320),
    "deep_supervision": True,
    "norm": "instance",
    "dropout": 0.0,
    "patch": (128, 128, 128),
    "batch": 2,
    "steps": 250_000,
    "loss": "dice-ce",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "schedule": "polynomial",
    "momentum": 0.99,
    "nesterov": True,
    "weight_decay": 3e-5,
    "orientation": "all-mirrors",
    "augmentation": "strong",
    "foreground_share": 1 / 3,
}
"""nnU-Net's default of a 3D network at full resolution (1,000 epochs of 250 batches), for a ceiling to believe."""

NNUNET_INFERENCE: dict[str, Any] = {"way": "sliding", "mirror": "all-axes"}
"""How nnU-Net segments with it."""

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
