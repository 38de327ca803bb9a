"""Options of SAM; apart from the code that needs torch, so that naming a method does not load it."""

from typing import Literal, TypeAlias

from pydantic import Field

from unseg_bench.blocks.slices import Scaling
from unseg_bench.plugins.method import MethodOptions

SamModel: TypeAlias = Literal["vit_b", "vit_l", "vit_h", "miniature"]

SamPrecision: TypeAlias = Literal["float32", "bfloat16"]


class SamOptions(MethodOptions):
    """SAM. `weights`: a name that `ubench weights` lists, or a file. `equalise`: of the slice's histogram."""

    model: SamModel = "vit_b"
    weights: str = "sam-vit-b"
    scaling: Scaling = "slice"
    equalise: bool = False
    batch: int = Field(default=1, ge=1)
    """Slices encoded at once; does not change the result beyond rounding."""
    precision: SamPrecision = "float32"
    """Of the image encoder; 'bfloat16' is refused on a device that has it not in hardware."""
    keep_embeddings: bool = True
    """Keep what the encoder makes of each slice (2 MiB a slice at full size), so that later prompts of the same slices
    need not encode them again; does not change the result."""
