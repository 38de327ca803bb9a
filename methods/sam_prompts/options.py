"""Options of sam-prompts."""

from typing import Literal, TypeAlias

from pydantic import Field

from unseg_bench import MethodOptions
from unseg_bench.blocks.sam.options import SamOptions

from .protocols import Protocol

Slices: TypeAlias = Literal["tumour", "all"]
"""Which slices are prompted."""

REFERENCE = "reference"


class SamPromptsOptions(MethodOptions):
    """What SAM is asked with, and where that comes from; the defaults are the row "SAM" of the CLISC paper."""

    protocol: Protocol = "paper"
    """'paper': box, its centre as foreground, its corners as background. 'G1': tight box. 'G2': a box a component.
    'G3': G1, each side shifted by up to 10 mm at random. 'G4': a point a component. 'G5': G1, 3 points inside, corners.
    """
    slices: Slices = "tumour"
    """'tumour': where the mask has tumour, so no other slice can be wrong. 'all': every slice with brain; one without
    tumour is asked with the prompts of the nearest one that has some, as if nobody had chosen slices."""
    prompts_from: str = Field(default=REFERENCE, min_length=1)
    """'reference': the case's own mask, a ceiling. Or the folder of a run, or of masks: the prompts are another
    method's, and no label is read but those that it read."""
    spacing_mm: float | None = Field(default=None, gt=0)
    """Isotropic voxels to work on; None for the image's own."""
    sam: SamOptions = SamOptions()
