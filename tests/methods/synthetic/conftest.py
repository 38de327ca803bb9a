"""Heads as cases of a cohort, and the method fitted on them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from unseg_bench_methods.synthetic.heads import make_head
from unseg_bench_methods.synthetic.method import Synthetic
from unseg_bench_methods.synthetic.options import SyntheticOptions

from unseg_bench.blocks.phantom.generator import generate_phantom
from unseg_bench.data.supervision import Supervision
from unseg_bench.plugins.trial import TinyCase, TrialContext, TrialLabels, make_volume, tiny_cohort

Fit = Callable[..., tuple[Synthetic, TrialContext]]


def as_case(case_id: str, image, reference, spacing_mm) -> TinyCase:
    brain = np.ascontiguousarray(image > 0)
    inside = image[brain]
    scaled = np.where(brain, (image - inside.mean()) / inside.std(), 0).astype(np.float32)
    return TinyCase(make_volume(case_id, scaled, brain, spacing_mm), reference)


@pytest.fixture(scope="session")
def phantoms() -> list[TinyCase]:
    """Three phantoms of the demo's generator, which the pair has not seen, at 3 mm."""
    made = [
        generate_phantom(cohort_seed=4, case_index=n, tumour_ml=60.0, spacing_mm=3.0, kind="plain") for n in range(3)
    ]
    return [as_case(f"p{n}", one.image, one.reference, one.spacing_mm) for n, one in enumerate(made)]


@pytest.fixture(scope="session")
def head():
    return make_head(3, 1, 4.0)


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    def run(cases: Sequence[TinyCase] = (), seed: int = 7, **options):
        labels = TrialLabels(Supervision.NONE, {"train": cases, "valid": (), "test": ()})
        context = TrialContext(tmp_path, labels, tiny_cohort("healthy", []), seed=seed)
        method = Synthetic(SyntheticOptions.model_validate(options))
        method.fit(tiny_cohort("train", cases), tiny_cohort("valid", []), context)
        return method, context

    return run
