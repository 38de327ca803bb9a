"""Phantoms: the same bits everywhere, the asked volumes, honest geometry, faint tumours fainter than plain ones."""

import hashlib
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from unseg_bench.blocks.phantom.generator import (
    TUMOUR_KINDS,
    Phantom,
    generate_pair,
    generate_phantom,
    kind_of_case,
    tumour_volumes_ml,
)
from unseg_bench.errors import SettingsError

COARSE_MM = 4.0


def digest(phantom: Phantom) -> str:
    return hashlib.sha256(phantom.image.tobytes() + phantom.reference.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def cohort() -> list[Phantom]:
    volumes = tumour_volumes_ml(6, seed=3)
    return [generate_phantom(cohort_seed=3, case_index=i, tumour_ml=float(v)) for i, v in enumerate(volumes)]


@pytest.fixture(scope="module")
def healthy() -> Phantom:
    return generate_phantom(cohort_seed=3, case_index=100, tumour_ml=None)


@pytest.mark.slow
def test_same_bits_whatever_was_made_before(cohort: list[Phantom]) -> None:
    volumes = tumour_volumes_ml(6, seed=3)
    again = generate_phantom(cohort_seed=3, case_index=5, tumour_ml=float(volumes[5]))
    assert digest(again) == digest(cohort[5])


@pytest.mark.slow
def test_same_bits_in_another_process_with_more_threads() -> None:
    here = digest(generate_phantom(cohort_seed=4, case_index=1, tumour_ml=20.0, spacing_mm=COARSE_MM))
    code = (
        "import hashlib; from unseg_bench.blocks.phantom.generator import generate_phantom as g;"
        f"p = g(cohort_seed=4, case_index=1, tumour_ml=20.0, spacing_mm={COARSE_MM});"
        "print(hashlib.sha256(p.image.tobytes() + p.reference.tobytes()).hexdigest())"
    )
    # All else stays: which kernel a library picks for the processor may be set there, and it decides bits too.
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", code]
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()
    assert there == here


def test_seed_and_case_both_matter() -> None:
    def make(seed: int, case: int) -> str:
        return digest(generate_phantom(cohort_seed=seed, case_index=case, tumour_ml=20.0, spacing_mm=COARSE_MM))

    assert len({make(1, 0), make(1, 1), make(0, 1), make(0, 0)}) == 4


def test_healthy_head_has_an_empty_reference(healthy: Phantom) -> None:
    assert healthy.kind == "healthy"
    assert healthy.tumour_ml == 0.0
    assert not healthy.reference.any()
    assert healthy.reference.shape == healthy.image.shape


@pytest.mark.parametrize("asked_ml", [0.5, 3.0, 30.0, 150.0, 200.0])
def test_volume_is_near_the_asked_one(asked_ml: float) -> None:
    phantom = generate_phantom(cohort_seed=8, case_index=int(asked_ml), tumour_ml=asked_ml)
    assert phantom.tumour_ml == pytest.approx(asked_ml, rel=0.15)
    assert phantom.tumour_ml == pytest.approx(phantom.reference.sum() * 8 / 1000)


def test_volumes_spread_evenly_in_the_logarithm() -> None:
    volumes = tumour_volumes_ml(40, seed=1)
    steps = np.diff(np.log(np.sort(volumes)))
    assert volumes.min() > 3
    assert volumes.max() < 150
    np.testing.assert_allclose(steps, np.log(50) / 40)
    assert not np.array_equal(volumes, np.sort(volumes))
    np.testing.assert_array_equal(volumes, tumour_volumes_ml(40, seed=1))
    assert not np.array_equal(volumes, tumour_volumes_ml(40, seed=2))


def test_geometry(cohort: list[Phantom]) -> None:
    for phantom in cohort:
        assert phantom.image.shape == phantom.reference.shape == (96, 112, 96)
        assert phantom.image.dtype == np.float32
        assert phantom.reference.dtype == np.bool_
        assert nib.aff2axcodes(phantom.affine) == ("L", "P", "S")
        np.testing.assert_allclose(nib.affines.voxel_sizes(phantom.affine), phantom.spacing_mm)
        middle = [(n - 1) / 2 for n in phantom.image.shape]
        np.testing.assert_allclose(nib.affines.apply_affine(phantom.affine, middle), 0, atol=1e-9)


def test_background_is_zero_and_the_tumour_lies_in_the_brain(cohort: list[Phantom]) -> None:
    for phantom in cohort:
        brain = phantom.image > 0
        assert np.isfinite(phantom.image).all()
        assert phantom.image.min() == 0.0
        assert 900 < brain.sum() * 8 / 1000 < 2200
        assert not (phantom.reference & ~brain).any()
        border = np.ones_like(brain)
        border[1:-1, 1:-1, 1:-1] = False
        assert not (brain & border).any()


def test_back_and_bottom_of_the_head_are_where_the_affine_says(healthy: Phantom) -> None:
    brain = healthy.image > 0
    # The cerebellum lies at the back and below: the lowest tenth of the brain is behind its middle.
    z = np.flatnonzero(brain.any((0, 1)))
    low = brain[:, :, z[0] : z[0] + len(z) // 10]
    assert np.nonzero(low)[1].mean() > np.nonzero(brain)[1].mean()


def test_half_of_the_tumours_are_faint_or_heterogeneous() -> None:
    kinds = [kind_of_case(9, case) for case in range(40)]
    assert sum(kind == "plain" for kind in kinds) == 20
    assert sum(kind == "faint" for kind in kinds) == 10
    assert set(kinds) == set(TUMOUR_KINDS)
    assert kinds != [kind_of_case(10, case) for case in range(40)]


def test_faint_tumours_are_fainter_than_plain_ones() -> None:
    def contrast(kind: str, case: int) -> float:
        phantom = generate_phantom(cohort_seed=6, case_index=case, tumour_ml=40.0, spacing_mm=COARSE_MM, kind=kind)
        normal = phantom.image[(phantom.image > 0) & ~phantom.reference]
        return float(np.median(phantom.image[phantom.reference]) / np.median(normal))

    plain = [contrast("plain", case) for case in range(4)]
    faint = [contrast("faint", case) for case in range(4)]
    assert min(faint) > 1.0
    assert np.mean(faint) < np.mean(plain) - 0.15


def test_one_and_two_millimetres_show_the_same_head() -> None:
    coarse = generate_phantom(cohort_seed=5, case_index=2, tumour_ml=50.0, spacing_mm=2.0)
    fine = generate_phantom(cohort_seed=5, case_index=2, tumour_ml=50.0, spacing_mm=1.0)
    assert fine.image.shape == (192, 224, 192)
    assert fine.kind == coarse.kind

    def halved(volume: np.ndarray) -> np.ndarray:
        return volume.astype(np.float32).reshape(96, 2, 112, 2, 96, 2).mean((1, 3, 5))

    both = halved(fine.reference) > 0.5
    overlap = 2 * (both & coarse.reference).sum() / (both.sum() + coarse.reference.sum())
    assert overlap > 0.85
    inner = ndimage.binary_erosion(coarse.image > 0, iterations=2)
    assert np.corrcoef(halved(fine.image)[inner], coarse.image[inner])[0, 1] > 0.85


@pytest.mark.parametrize("kind", TUMOUR_KINDS)
def test_pair_differs_by_the_tumour_alone(kind: str) -> None:
    asked = {"cohort_seed": 7, "case_index": 4, "tumour_ml": 25.0, "spacing_mm": COARSE_MM, "kind": kind}
    ill, well = generate_pair(**asked)
    assert digest(ill) == digest(generate_phantom(**asked))
    assert (ill.kind, well.kind) == (kind, "healthy")
    assert (well.tumour_ml, well.reference.any()) == (0.0, np.False_)
    np.testing.assert_array_equal(ill.image > 0, well.image > 0)
    away_mm = ndimage.distance_transform_edt(~ill.reference) * COARSE_MM
    np.testing.assert_array_equal(ill.image[away_mm > 16], well.image[away_mm > 16])
    inner = ndimage.binary_erosion(ill.reference)
    assert (ill.image[inner] != well.image[inner]).all()
    healthy = generate_phantom(cohort_seed=7, case_index=4, tumour_ml=None, spacing_mm=COARSE_MM)
    assert digest(well) != digest(healthy), "the pair's head is pushed aside by the tumour"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tumour_ml": -1.0}, "tumour_ml"),
        ({"tumour_ml": 1000.0}, "tumour_ml"),
        ({"tumour_ml": 10.0, "spacing_mm": 0.1}, "spacing_mm"),
        ({"tumour_ml": 10.0, "kind": "blue"}, "kind"),
        ({"tumour_ml": None, "kind": "faint"}, "kind"),
    ],
)
def test_impossible_phantoms_are_refused(options: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        generate_phantom(cohort_seed=1, case_index=1, **options)


def test_importing_the_generator_loads_nothing_heavy() -> None:
    code = (
        "import sys, unseg_bench.blocks.phantom.generator;"
        "print([m for m in ('torch', 'scipy', 'nilearn', 'numba', 'nibabel') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
