"""Heads to learn from: phantoms of the same anatomy as the demo data set's, with wider contrasts, tumours and scanners.

`unseg_bench.blocks.phantom` is unreadable inside the seal where the data set is the phantom itself; hence this module
is imported where heads are to be mixed in, and by the script that trains the shipped weights, and by nothing else.
"""

from dataclasses import replace

import numpy as np

from unseg_bench import MethodOptions, Work, stage
from unseg_bench.blocks.phantom.anatomy import HEAD_BOX_MM, Head, MassEffect, Tissue
from unseg_bench.blocks.phantom.fields import Array, Grid, centred_axis
from unseg_bench.blocks.phantom.intensity import distractors, healthy_signal, leftovers
from unseg_bench.blocks.phantom.scanner import scan
from unseg_bench.blocks.phantom.threads import one_thread
from unseg_bench.blocks.phantom.tumour import Tumour, choose_seat, grow
from unseg_bench.blocks.working_cases import LabelledCase

from .looks import paint, wide_contrast, wide_look, wide_scanner
from .options import HEAD_SPACING_MM

TUMOUR_ML = (3.0, 200.0)
_HEALTHY, _SECOND = 0.05, 0.12


class HeadOptions(MethodOptions):
    """How many heads."""

    count: int


@stage("synthetic-heads")
def make_heads(work: Work, options: HeadOptions) -> None:
    """Write `<number>.npy` of each head, float16: (image, label), 0 outside the brain."""
    for number in range(options.count):
        case = make_head(work.seed, number)
        np.save(work.folder / f"{number}.npy", np.stack([case.image, case.label]).astype(np.float16))
        work.progress(number + 1, options.count, "heads")


def make_head(seed: int, number: int, spacing_mm: float = HEAD_SPACING_MM) -> LabelledCase:
    """Make one head: an image in arbitrary units, 0 outside the brain, with its tumours' outline as label.

    Equal arguments give equal bits. One head of twenty is healthy; one of eight has a second, smaller tumour.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, number, 515]))
    grid = Grid(*(centred_axis(round(length / spacing_mm), spacing_mm) for length in HEAD_BOX_MM))
    with one_thread():
        head = Head(rng)
        image, label, tissue = _head_and_tumours(rng, grid, head)
        scanner = wide_scanner(rng)
        leftovers(rng, grid, tissue, image)
        image = scan(rng, rng, grid, image, scanner)
    brain = tissue.brain
    inside = np.where(brain, np.maximum(image, np.float32(1e-3)), np.float32(0))
    return LabelledCase(inside.astype(np.float32), label & brain, brain, (spacing_mm, spacing_mm, spacing_mm))


def _head_and_tumours(rng: np.random.Generator, grid: Grid, head: Head) -> tuple[Array, np.ndarray, Tissue]:
    """Signal, whole tumour and tissue; the first tumour alone pushes tissue away."""
    contrast = wide_contrast(rng)
    count = int(rng.choice([0, 1, 2], p=[_HEALTHY, 1 - _HEALTHY - _SECOND, _SECOND]))
    first_ml = float(np.exp(rng.uniform(*np.log(TUMOUR_ML))))
    effect = choose_seat(rng, head, first_ml)
    effect = replace(effect, push_mm=float(min(effect.push_mm * rng.uniform(0.5, 1.6), 12.0)))
    tissue = head.tissue(grid, effect if count else None)
    signal = healthy_signal(rng, grid, tissue, contrast)
    signal += np.float32(rng.uniform(0.4, 1.5)) * distractors(rng, grid, tissue)
    label = np.zeros(grid.shape, np.bool_)
    for number in range(count):
        volume_ml = first_ml if number == 0 else max(1.0, first_ml * float(rng.uniform(0.05, 0.4)))
        seat = effect if number == 0 else choose_seat(rng, head, volume_ml)
        tumour = _grow(rng, grid, tissue, seat, volume_ml)
        near, look = tumour.window, wide_look(rng, contrast.grey)
        paint(rng, grid.part(near), signal[near], tissue.csf[near], tumour, look, contrast)
        label[near] |= tumour.reference
    return signal, label, tissue


def _grow(rng: np.random.Generator, grid: Grid, tissue: Tissue, effect: MassEffect, volume_ml: float) -> Tumour:
    """Between a growth that follows white matter and spares CSF, and a compact mass that swallows both."""
    follows, spares = np.float32(rng.uniform(0, 1)), np.float32(rng.uniform(0.3, 1))
    even = replace(tissue, white=follows * tissue.white + (1 - follows) * np.float32(0.6), csf=spares * tissue.csf)
    return grow(rng, grid, even, effect, volume_ml)
