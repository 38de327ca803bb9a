"""SaLIP's options, one group a step."""

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from unseg_bench import MethodOptions
from unseg_bench.blocks.sam.options import EverythingOptions as SamEverythingOptions
from unseg_bench.blocks.sam.options import SamModel, SamModelOptions

TUMOUR_CAPTIONS = (
    "a bright irregular patch on a FLAIR image, part of a brain tumor",
    "a glioma with bright swelling around it on brain MRI",
    "a hyperintense mass whose edge fades into the brain",
    "a bright lesion in only one half of the brain",
    "abnormally bright tissue that pushes a ventricle aside",
    "a part of the brain that shines more than healthy white matter",
    "tumor and edema, white on an axial FLAIR slice",
)
BACKGROUND_CAPTIONS = (
    "normal brain tissue of an even gray on a FLAIR image",
    "healthy white matter without any lesion",
    "a dark ventricle filled with fluid",
    "a symmetric slice of a healthy brain",
    "the thin bright rim of the scalp or the skull",
    "folds of the normal cortex",
    "a black and empty part of the picture",
)
"""What CLIP is asked: sentences on tumours and on all else, written before any case was looked at, and kept."""

Rule: TypeAlias = Literal["top-k", "class-softmax", "k-sigma"]


class SamOptions(SamModelOptions):
    """SAM, by default the published ViT-H; a slice is encoded when it is asked, once in all."""

    model: SamModel = "vit_h"
    weights: str = "sam-vit-h"


class EverythingOptions(SamEverythingOptions):
    """Everything mode. The defaults lie within the authors' search, but were fixed without labels."""

    points_per_side: int = Field(default=16, ge=1)
    pred_iou_thresh: float = Field(default=0.5, ge=0)
    stability_score_thresh: float = Field(default=0.8, ge=0)
    box_nms_thresh: float = Field(default=0.8, ge=0, le=1)
    crop_n_layers: int = Field(default=1, ge=0)
    crop_nms_thresh: float = Field(default=0.8, ge=0, le=1)
    crop_n_points_downscale_factor: int = Field(default=2, ge=1)
    min_mask_region_area: int = Field(default=50, ge=0)


class PictureOptions(MethodOptions):
    """Which axial slices are looked at, and how they are drawn."""

    min_brain_share: float = Field(default=0.15, ge=0, lt=1)
    """Slices with less than this share of the largest slice's brain area are left empty."""
    every: int = Field(default=1, ge=1)
    """Look at every n-th of these slices alone; those between get the mask of the nearest one. For speed."""
    clip_quantile: float = Field(default=0.999, gt=0, le=1)
    """Intensities above this quantile of the brain are cut down to it; 1: none."""
    long_side_px: int | None = Field(default=256, ge=32)
    """Slices are resized to this length of their longer side. None: as they are (authors' code in 3D)."""


class FilterOptions(MethodOptions):
    """Proposals that are dropped before CLIP sees them. Areas are shares of the slice's brain area."""

    min_area: float = Field(default=0.005, ge=0)
    max_area: float = Field(default=0.35, gt=0)
    min_inside: float = Field(default=0.5, ge=0, le=1)
    """The share of a mask that must lie in the brain."""
    max_cover: float = Field(default=0.9, gt=0)
    """The largest share of the brain that a mask may cover: the brain itself is no tumour."""
    max_picture_share: float | None = Field(default=None, gt=0, le=1)
    """A mask must be smaller than this share of the picture (paper: an area bound; the authors' script for pictures
    tries 20,000, 40,000 and 50,000 of 256 x 256 pixels). None: no such bound."""
    min_z: float | None = None
    """Intensity gate, not a part of SaLIP: the mean of a mask must lie this many standard deviations above that of the
    brain. None: no gate."""


class CropOptions(MethodOptions):
    """What CLIP is shown of a proposal (the authors' code has all three; 'masked' is its default).

    `mode`: 'masked' is the mask's tight box, black outside the mask; 'box' the box `margin_px` wider, not masked;
    'dimmed' the whole picture at half brightness outside the box.
    """

    mode: Literal["masked", "box", "dimmed"] = "masked"
    margin_px: int = Field(default=10, ge=0)
    """Of the mode 'box'."""
    last_row: bool = True
    """Without, the box's last row and column are left out (authors' code), and masks one pixel wide with them."""
    fit: Literal["centre", "pad"] = "centre"
    """How an oblong crop becomes CLIP's square: its ends are cut off ('centre', CLIP's own way), or it is padded with
    black."""


class ClipOptions(MethodOptions):
    """CLIP, and the sentences on tumours and on all else; see `unseg_bench.blocks.clip.scorer` for the names."""

    model: str = "ViT-B-32"
    pretrained: str = "openai"
    tumour_captions: tuple[str, ...] = Field(default=TUMOUR_CAPTIONS, min_length=1)
    background_captions: tuple[str, ...] = Field(default=BACKGROUND_CAPTIONS, min_length=1)
    """Of the rule 'class-softmax' alone."""
    equal_weights: bool = False
    """Without, a class is the mean of its sentences' vectors as the text encoder makes them (authors' code); with, of
    unit vectors (OpenAI's recipe)."""
    batch: int = Field(default=64, ge=1)
    """Crops at once; does not change the result beyond rounding."""


class ChoiceOptions(MethodOptions):
    """Which crops become prompts, by their similarity s to the tumour's captions.

    - `top-k` (published): the `k` best; there always is one, also where there is no tumour
    - `class-softmax`: of those whose probability of tumour against background reaches `min_probability`, the `k` best;
      a slice without such a crop stays empty. An addition: the published tasks know their object to be present
    - `k-sigma` (a published variant): those with s of at least the slice's maximum less `sigmas` standard deviations
    """

    rule: Rule = "class-softmax"
    k: int = Field(default=1, ge=1)
    """Published: 2 for lungs, 1 otherwise."""
    min_probability: float = Field(default=0.5, ge=0, le=1)
    sigmas: float = Field(default=1.0, ge=0)


class SearchOptions(MethodOptions):
    """The authors' search for settings of everything mode, scored by the Dice with reference masks: label use, masks of
    the validation part. It is left out by default ('none').

    `draws` settings are drawn at random and tried on `slices` slices of `cases` validation cases.
    """

    by: Literal["none", "labels"] = "none"
    draws: int = Field(default=5, ge=1)
    cases: int = Field(default=2, ge=1)
    slices: int = Field(default=5, ge=1)
    points_per_side: tuple[int, ...] = Field(default=(16, 32, 64), min_length=1)
    pred_iou_thresh: tuple[float, ...] = Field(default=(0.2, 0.5, 0.8, 0.9), min_length=1)
    stability_score_thresh: tuple[float, ...] = Field(default=(0.2, 0.5, 0.8, 0.95), min_length=1)


class SalipOptions(MethodOptions):
    """All options. `spacing_mm`: isotropic working grid, None for the image's own.

    The defaults are the preset 'flair', ours: slices may be free of tumour, so the rule of choice can abstain, and
    masks that can be no tumour are dropped. The published rule of choice is `choice.rule=top-k`.
    """

    spacing_mm: float | None = Field(default=None, gt=0)
    pictures: PictureOptions = PictureOptions()
    sam: SamOptions = SamOptions()
    everything: EverythingOptions = EverythingOptions()
    filters: FilterOptions = FilterOptions()
    crops: CropOptions = CropOptions()
    clip: ClipOptions = ClipOptions()
    choice: ChoiceOptions = ChoiceOptions()
    component: Literal["all", "largest"] = "all"
    """Keep the largest piece of the stacked answer alone; an addition."""
    search: SearchOptions = SearchOptions()

    @model_validator(mode="after")
    def _every_draw_is_allowed(self) -> Self:
        if self.search.by == "labels":
            for points in self.search.points_per_side:
                EverythingOptions.model_validate({**self.everything.model_dump(), "points_per_side": points})
        return self
