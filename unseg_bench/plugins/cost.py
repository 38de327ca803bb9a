"""What a method's steps cost where nobody has measured them: arithmetic, the least time of a step, and room on disk."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from unseg_bench.cpus import usable_cpus

Machine: TypeAlias = Literal["gpu", "cpu"]

GPU_TFLOPS = 20.0
"""What one data-centre GPU (A100) sustains on convolutions, in 10^12 products and sums a second."""
CORE_TFLOPS = 0.03
"""The same of one processor core, in float32."""
WRITTEN_GB_S = 0.2
"""Gigabytes a second that are written to disk, by a core that has made them."""


@dataclass(frozen=True, slots=True)
class CaseCounts:
    """How many cases a run learns from, chooses by, and segments."""

    training: int
    validation: int
    segmented: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stage needs for a whole cohort; `stage` is its name, or 'segment' for all cases that are segmented.

    `flop`: products and sums. `gpu_s`: what a GPU takes at least, where its steps are short or wait for memory.
    `core_s`: what one processor core does beside it, on any machine.
    `bytes`: what it writes, checkpoints and the like included. `depends`: what tells its result from those of the
    method's other runs; equal ones are counted once. `common`: of those with this name the largest is counted once.
    """

    stage: str
    flop: float = 0.0
    gpu_s: float = 0.0
    bytes: float = 0.0
    depends: str = ""
    common: str = ""
    core_s: float = 0.0

    def seconds(self, machine: Machine) -> float:
        """Return the computed time on one GPU, or on the cores that this process may use."""
        beside = self.core_s + self.bytes / (WRITTEN_GB_S * 1e9)
        if machine == "gpu":
            return max(self.flop / (GPU_TFLOPS * 1e12), self.gpu_s) + beside
        return self.flop / (CORE_TFLOPS * 1e12 * usable_cpus()) + beside
