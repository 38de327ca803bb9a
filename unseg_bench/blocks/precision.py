"""Where networks compute in bfloat16: on GPUs that have it in hardware, and never on a CPU.

torch 2.14.1 reads memory that was never written where a CPU with avx512_bf16 computes the weight gradient of some
convolutions in bfloat16: 3D ones whose input is two voxels deep, strided 2D ones whose input is one pixel wide. The
result is another one each time, often NaN. Float32 is right everywhere, at 1.3 to 1.6 times the processor time.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeAlias

import torch

from unseg_bench.plugins.device import BFLOAT16_FROM

Precision: TypeAlias = Literal["float32", "mixed"]
"""float32 everywhere, or autocast to bfloat16 on a GPU that has it in hardware."""


def autocast(precision: Precision, device: str) -> AbstractContextManager[Any]:
    """Return the context in which a network computes on `device` at this precision."""
    if precision == "mixed" and has_bfloat16(device):
        return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
    return nullcontext()


def has_bfloat16(device: str) -> bool:
    """Whether `device` is a GPU that multiplies bfloat16 in hardware; older ones emulate it, slower than float32."""
    one = torch.device(device)
    return one.type == "cuda" and torch.cuda.is_available() and torch.cuda.get_device_capability(one) >= BFLOAT16_FROM
