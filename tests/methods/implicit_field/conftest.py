"""Small heads that are alike, an implicit field of a few thousand numbers, and both put together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unseg_bench_methods.implicit_field.method import ImplicitField
from unseg_bench_methods.implicit_field.options import ImplicitFieldOptions

from unseg_bench.data.volume import Volume
from unseg_bench.plugins.trial import TinyCase, TrialContext, TrialLabels, make_volume, tiny_cohort

SMALL: dict[str, Any] = {
    "normals": {"source": "healthy", "held_out": 0.25},
    "scan": {"side": 14, "classes": 6, "margin_mm": 5.0},
    "network": {"octaves": 2, "code": 8, "width": 48, "layers": 3, "join_after": 2, "dropout": 0.0},
    "training": {"steps": 250, "points": 150, "cube_share": 0.25, "learning_rate": 5e-3, "code_learning_rate": 1e-2},
    "fit": {"steps": (40, 10), "points": (300, 500), "learning_rate": 2e-2, "cases": 2},
}


def head(case_id: str, seed: int, *, tumour: bool = False) -> TinyCase:
    """A brain of 6 mm voxels with dark ventricles and a brighter rim; heads differ a little in size and noise."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (22, 26, 20)), indexing="ij")
    size = 0.85 + 0.05 * rng.uniform(-1, 1, 3)
    radius = np.sqrt((x / size[0]) ** 2 + (y / size[1]) ** 2 + (z / size[2]) ** 2)
    brain = radius < 1
    ventricles = (x / 0.25) ** 2 + (y / 0.5) ** 2 + (z / 0.3) ** 2 < 1
    raw = 1.0 + 0.5 * (radius > 0.75) - 0.7 * ventricles + 0.05 * rng.normal(size=x.shape)
    reference = ((x - 0.45) ** 2 + y**2 + z**2 < 0.3**2) & brain & tumour
    raw = raw + 0.9 * reference
    image = np.zeros(x.shape, np.float32)
    image[brain] = (raw[brain] - 1.0) / 0.3
    return TinyCase(make_volume(case_id, image, brain, (6.0, 6.0, 6.0)), reference)


Fit = Callable[..., tuple[ImplicitField, TrialContext]]


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """Options of a field that is trained in seconds."""
    return SMALL


@pytest.fixture(scope="session")
def make_head() -> Callable[..., TinyCase]:
    """Make a head: id, seed, with or without tumour."""
    return head


@pytest.fixture(scope="session")
def healthy() -> list[TinyCase]:
    """Heads without tumour: six to learn from, two to find thresholds with."""
    return [head(f"healthy-{number}", number) for number in range(8)]


@pytest.fixture(scope="session")
def fit_small(healthy: list[TinyCase]) -> Fit:
    """Fit the small field in a folder, with options merged into SMALL."""

    def fit(
        folder: Path, options: dict[str, Any] | None = None, parts: dict[str, list[TinyCase]] | None = None
    ) -> tuple[ImplicitField, TrialContext]:
        parts = {"train": [], "valid": [], "test": [], **(parts or {})}
        merged = {name: {**SMALL.get(name, {}), **(options or {}).get(name, {})} for name in {*SMALL, *(options or {})}}
        method = ImplicitField(ImplicitFieldOptions.model_validate(merged))
        labels = TrialLabels(method.supervision, parts)
        context = TrialContext(folder, labels, tiny_cohort("healthy", healthy), seed=7)
        method.fit(tiny_cohort("train", parts["train"]), tiny_cohort("valid", parts["valid"]), context)
        return method, context

    return fit


@pytest.fixture(scope="session")
def fitted(fit_small: Fit, tmp_path_factory: pytest.TempPathFactory) -> tuple[ImplicitField, TrialContext]:
    """A small field, trained once."""
    return fit_small(tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="session")
def unseen() -> Volume:
    """A normal head that nothing was learned from."""
    return head("unseen", 99).volume
