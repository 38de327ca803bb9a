"""CLISC's options, one group a step; a stage is given its own group and nothing else."""

from typing import Literal, TypeAlias

from pydantic import Field

from unseg_bench import MethodOptions
from unseg_bench.blocks.clip.labels import ClipOptions, LabelOptions
from unseg_bench.blocks.components import Connectivity
from unseg_bench.blocks.prompts import PointRule, PromptKind
from unseg_bench.blocks.sam.options import SamModelOptions, SamOptions
from unseg_bench.blocks.slices import Scaling
from unseg_bench.blocks.standardise import Normalisation
from unseg_bench.blocks.unet.options import UNetInference, UNetOptions

Answer: TypeAlias = Literal["unet", "raw-cam", "amda-cam", "sam"]

EmptyCases: TypeAlias = Literal["learned", "left-out"]


class ClassifierOptions(MethodOptions):
    """Both slice classifiers. `weights`: ImageNet weights by name, for the ResNet-50. `width`: of the small network."""

    network: Literal["resnet50", "small-resnet"] = "resnet50"
    weights: str | None = "resnet50-imagenet-v1"
    head: Literal["linear", "mlp"] = "linear"
    """'mlp' (authors' code): linear to 256, ReLU, dropout 0.5, linear to 2."""
    width: int = Field(default=16, ge=4)
    image_size: int = Field(default=224, ge=32)
    scaling: Scaling = "slice"
    values: Literal["imagenet", "unit"] = "imagenet"
    """What greys become: 'imagenet' takes ImageNet's mean off and divides by its deviation, as when the weights were
    trained (ours, the paper says nothing); 'unit' is 0 to 1 (authors' code)."""
    epochs: int = Field(default=200, ge=1)
    batch: int = Field(default=8, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0)
    schedule: Literal["constant", "step", "one-cycle"] = "constant"
    """'step' (authors' code): a tenth after every seven epochs."""
    mirror: bool = False
    """Reflect every other slice left to right."""
    keep: Literal["last", "best-by-true-slices"] = "last"
    """The last epoch, or (authors' code) that with the best accuracy on validation slices labelled by their reference:
    label use, slice labels of the validation part."""


class CamOptions(MethodOptions):
    """The classifier's map of the tumour logit at `layer`."""

    layer: str = "layer3"
    formula: Literal["layer-cam", "as-printed", "grad-cam"] = "layer-cam"
    """What is summed over channels: the ReLU of each position's gradient times the activation ('layer-cam', authors'
    code), the channel's mean gradient times that ReLU ('as-printed', paper, eq. 2: without the activation), or the mean
    gradient times the activation ('grad-cam')."""
    slices: Literal["clip", "classifier"] = "clip"
    """Which slices have a map: those that CLIP called tumour (paper), or of all slices, with a label or without, those
    that the classifier calls tumour (authors' code)."""
    true_slices: bool = False
    """Training and validation slices without tumour in the reference have no map (authors' code): label use, slice
    labels."""
    batch: int = Field(default=32, ge=1)


class RegionOptions(MethodOptions):
    """From CAM to region: above a level, then a clean-up.

    `rule`: a 'fixed' `level` of each slice's range; 'otsu' of the case's CAM inside the brain; 'validation-dice'
    (authors' code): the level of 0.05, 0.10 ... 0.80 with the best mean Dice on validation masks: label use, masks.
    """

    rule: Literal["fixed", "otsu", "validation-dice"] = "fixed"
    level: float = Field(default=0.5, gt=0, lt=1)
    opening: bool = True
    """Take away what is thinner than the neighbourhood of `opening_neighbours` (authors' code)."""
    opening_neighbours: Connectivity = 26
    """Of a voxel: 26 touch it (authors' code), 6 share a face with it."""
    keep_share: float = Field(default=1 / 3, ge=0, le=1)
    """Components smaller than this share of the largest one are dropped."""


class AmdaOptions(MethodOptions):
    """Masking. `alpha`: % that is hidden, by `rule`. `within`: which pixels of a slice the quantile is taken over."""

    alpha: float = Field(default=20.0, ge=0, le=100)
    rule: Literal["quantile", "cam-range", "brightness"] = "quantile"
    """'quantile': the pixels with the highest CAM (paper). 'cam-range': the top of the CAM's range inside the region's
    box, what the authors' script is written for. 'brightness': the top of the slice's own range, in normal slices too:
    what that script does, since it looks for CAMs where none are."""
    within: Literal["brain", "region"] = "brain"
    normal_masks: Literal["rectangles", "cam-shaped"] = "rectangles"
    unmasked_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the training slices that is shown without a mask; 0 (paper) can teach that a hole means tumour."""


class PromptOptions(MethodOptions):
    """What SAM is asked with, from the region of a slice: its 'box', 'points', or 'both' (paper).

    `points`: the box's centre as foreground ('paper'), or five pixels of the region that reach 60 % of its largest
    value before equalisation ('authors-code'); the box's corners are background in both.
    """

    kind: PromptKind = "both"
    points: PointRule = "paper"
    dilation_px: int = Field(default=0, ge=0)
    """Each side of the box is moved out by so many pixels; the authors' code: 10."""


class S3fOptions(MethodOptions):
    """Self-training with SAM-based filtering: cases below the `beta`-th percentile of similarity leave the next round.

    0 keeps all cases ('without S3F').
    """

    beta: float = Field(default=20.0, ge=0, lt=100)
    dilation_px: int | None = Field(default=None, ge=0)
    """Of the boxes around predictions; None: as `prompts.dilation_px`. The authors' code: 0."""
    component: Literal["all", "largest", "surest"] | None = None
    """Which component of a training prediction is kept; None: as `inference.component`. The authors' code: largest."""


class OracleOptions(MethodOptions):
    """The truth in the place of what one stage finds on the training part, to see what DSC that stage loses: label use.

    No case that is segmented is shown any. The study 'stage-oracles' switches on one at a time.
    """

    labels: bool = False
    """True labels of the slices, not CLIP's; reads slice labels of the training part."""
    regions: bool = False
    """True regions, and so true boxes for SAM, not those of the second classifier's CAMs; reads training masks."""
    pseudo_labels: bool = False
    """True masks for the first U-Net, not SAM's; reads training masks."""
    filter: bool = False
    """S3F ranks the cases by the true Dice of their predictions, not by SAM's agreement; reads training masks."""


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
    sam: SamModelOptions


class FilterOptions(MethodOptions):
    """What the stage 's3f' reads."""

    beta: float
    empty_cases: EmptyCases


class CliscOptions(MethodOptions):
    """All options; the defaults are the paper's. `spacing_mm`: isotropic working grid, None for the image's own."""

    spacing_mm: float | None = Field(default=None, gt=0)
    normalise: Normalisation = "brain"
    """What has mean 0 and standard deviation 1: the 'brain' (paper); in the U-Net's images the tissue 'outside-tumour',
    which two passes find without labels (a large tumour is part of the brain's own mean and deviation, and so darkens
    itself); or, for all that sees images, the whole 'crop' with the air in it (authors' code). The crop is cut down to
    its 99.9th percentile, its greys begin at the air, and nothing is kept inside the brain, as that code's own check
    is true of the air too."""
    answer: Answer = "unet"
    """What segments a case: the last U-Net, or, for ablations, what comes before it, applied to the case itself: the
    first classifier's 'raw-cam', the second one's 'amda-cam', or 'sam' prompted by that."""
    rounds: int = Field(default=2, ge=1)
    """Trainings of the U-Net: 1 is 'without self-training', 2 the paper's; each later one learns predictions."""
    empty_cases: EmptyCases = "learned"
    """Training cases whose pseudo-label is empty: the first U-Net learns that they have no tumour, or they are
    'left-out' (authors' code), and S3F takes its share of the cases with a prediction alone."""
    clip: ClipOptions = ClipOptions()
    labels: LabelOptions = LabelOptions()
    classifier: ClassifierOptions = ClassifierOptions()
    cam: CamOptions = CamOptions()
    region: RegionOptions = RegionOptions()
    amda: AmdaOptions = AmdaOptions()
    prompts: PromptOptions = PromptOptions()
    sam: SamOptions = SamOptions()
    unet: UNetOptions = UNetOptions()
    inference: UNetInference = UNetInference()
    s3f: S3fOptions = S3fOptions()
    oracle: OracleOptions = OracleOptions()
