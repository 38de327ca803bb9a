"""The stage that makes new heads to mix in; a module of its own, since a sealed run on the phantom may not read it."""

import numpy as np

from unseg_bench import MethodOptions, Work, stage

from .heads import make_head


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
