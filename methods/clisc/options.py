"""CLISC's options, one group a step; a stage is given its own group and nothing else."""

from typing import Literal

from pydantic import Field

from unseg_bench.blocks.slices import Scaling
from unseg_bench.blocks.unet_options import UNetInference, UNetOptions
from unseg_bench.plugins.method import MethodOptions

PAPER_NORMAL = (
    "an image of brain tissue showing typical signal intensity without any regions of abnormal intensity or "
    "suspicious mass"
)
PAPER_TUMOUR = (
    "an image of brain tissue showing a tumor with uneven hyperintensity and irregular borders distinct from "
    "surroundings"
)


class ClipOptions(MethodOptions):
    """Slice labels. Several captions of a class are averaged; the defaults are the paper's two."""

    model: str = "ViT-B-32"
    pretrained: str = "openai"
    normal_captions: tuple[str, ...] = Field(default=(PAPER_NORMAL,), min_length=1)
    tumour_captions: tuple[str, ...] = Field(default=(PAPER_TUMOUR,), min_length=1)
    scaling: Scaling = "slice"
    min_brain_share: float = Field(default=0.0, ge=0, lt=1)
    """Slices with less than this share of the largest slice's brain area are left out everywhere."""


class ClassifierOptions(MethodOptions):
    """Both slice classifiers. `weights`: ImageNet weights by name, for the ResNet-50. `width`: of the small network."""

    network: Literal["resnet50", "small-resnet"] = "resnet50"
    weights: str | None = "resnet50-imagenet-v1"
    width: int = Field(default=16, ge=4)
    image_size: int = Field(default=224, ge=32)
    scaling: Scaling = "slice"
    epochs: int = Field(default=200, ge=1)
    batch: int = Field(default=8, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0)
    schedule: Literal["constant", "one-cycle"] = "constant"
    mirror: bool = False
    """Reflect every other slice left to right."""


class CamOptions(MethodOptions):
    """Layer-CAM of the tumour logit at `layer`."""

    layer: str = "layer3"
    batch: int = Field(default=32, ge=1)


class RegionOptions(MethodOptions):
    """CAM to region, without labels: above a 'fixed' `level` of each slice's range or 'otsu' of the case; clean-up."""

    rule: Literal["fixed", "otsu"] = "fixed"
    level: float = Field(default=0.5, gt=0, lt=1)
    opening: bool = True
    keep_share: float = Field(default=1 / 3, ge=0, le=1)
    """Components smaller than this share of the largest one are dropped."""


class AmdaOptions(MethodOptions):
    """Masking. `alpha`: % that is hidden, of the pixels ('quantile', paper) or of the range ('range', authors' code).

    `within`: which pixels of a slice the quantile is taken over.
    """

    alpha: float = Field(default=20.0, ge=0, le=100)
    rule: Literal["quantile", "range"] = "quantile"
    within: Literal["brain", "region"] = "brain"
    normal_masks: Literal["rectangles", "cam-shaped"] = "rectangles"
    unmasked_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the training slices that is shown without a mask; 0 (paper) can teach that a hole means tumour."""


class PromptOptions(MethodOptions):
    """Box, centre and corners of a region; the box can be widened."""

    dilation_px: int = Field(default=0, ge=0)


class SamOptions(MethodOptions):
    """SAM. `weights`: a name that `ubench weights` lists, or a file. `equalise`: of the slice's histogram."""

    model: Literal["vit_b", "vit_l", "vit_h", "miniature"] = "vit_b"
    weights: str = "sam-vit-b"
    scaling: Scaling = "slice"
    equalise: bool = False
    batch: int = Field(default=1, ge=1)
    """Slices encoded at once; does not change the result beyond rounding."""


class S3fOptions(MethodOptions):
    """SAM-based filtering: cases below the `beta`-th percentile of similarity leave the second round."""

    beta: float = Field(default=20.0, ge=0, lt=100)


class PredictOptions(MethodOptions):
    """What the stage 'unet-predictions' reads."""

    unet: UNetOptions
    inference: UNetInference


class RetrainOptions(MethodOptions):
    """What the stage 'amda-classifier' reads."""

    classifier: ClassifierOptions
    amda: AmdaOptions


class SamStageOptions(MethodOptions):
    """What the stage 'sam-masks' reads."""

    prompts: PromptOptions
    sam: SamOptions


class CliscOptions(MethodOptions):
    """All options; the defaults are the paper's. `spacing_mm`: isotropic working grid, None for the image's own."""

    spacing_mm: float | None = Field(default=None, gt=0)
    clip: ClipOptions = ClipOptions()
    classifier: ClassifierOptions = ClassifierOptions()
    cam: CamOptions = CamOptions()
    region: RegionOptions = RegionOptions()
    amda: AmdaOptions = AmdaOptions()
    prompts: PromptOptions = PromptOptions()
    sam: SamOptions = SamOptions()
    unet: UNetOptions = UNetOptions()
    inference: UNetInference = UNetInference()
    s3f: S3fOptions = S3fOptions()
