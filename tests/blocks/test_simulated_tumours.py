"""Simulated tumours: the published statistics of size, place, shape and blend, on any grid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import ndimage

from unseg_bench.blocks.simulated_tumours.options import SimulatorOptions
from unseg_bench.blocks.simulated_tumours.shape import (
    Shape,
    brain_box,
    draw_centre,
    draw_mask,
    draw_shape,
    radial_factors,
    sphere,
)
from unseg_bench.blocks.simulated_tumours.simulate import (
    Simulated,
    from_positive,
    simulate,
    to_positive,
)
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import DataError

OPTIONS = SimulatorOptions()
SIZE_MM = np.array([144.0, 176.0, 136.0])


def head(spacing_mm: float, seed: int = 0) -> tuple[Image, Mask]:
    """An ellipsoid of 144 x 176 x 136 mm, of smooth positive texture about 5; 0 outside."""
    shape = np.round(SIZE_MM / spacing_mm).astype(int)
    x, y, z = np.meshgrid(*((np.arange(n) + 0.5) / n * 2 - 1 for n in shape), indexing="ij")
    brain = x**2 + y**2 + z**2 < 1
    phase = seed + 1.0
    image = 5 + np.sin(7 * x * phase) + np.cos(9 * y + phase) + np.sin(5 * z - phase)
    return np.where(brain, image, 0).astype(np.float32), brain


def tumour(seed: int, spacing_mm: float = 4.0, options: SimulatorOptions = OPTIONS, **more: Mask) -> Simulated:
    normal, brain = head(spacing_mm)
    donor, donor_brain = head(spacing_mm, seed=1)
    rng = np.random.default_rng(seed)
    return simulate(rng, normal, brain, donor, donor_brain, (spacing_mm,) * 3, options, **more)


def edge_of(shape: Shape, directions: NDArray[np.float64]) -> NDArray[np.float64]:
    return radial_factors(directions, shape.offset, shape.octaves, shape.roughness)


@pytest.fixture(scope="module")
def many() -> list[Simulated]:
    return [tumour(seed) for seed in range(150)]


def test_radial_factor_has_the_published_statistics() -> None:
    rng, directions = np.random.default_rng(0), sphere(2562)
    factors = np.stack([edge_of(draw_shape(rng, OPTIONS), directions) for _ in range(200)])
    assert factors.mean() == pytest.approx(1.00, abs=0.01)
    assert factors.std() == pytest.approx(0.127, abs=0.006)
    assert factors.min() == pytest.approx(0.59, abs=0.06)
    assert factors.max() == pytest.approx(1.42, abs=0.06)
    assert (factors**3).mean() == pytest.approx(1.05, abs=0.01)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_volume_is_the_drawn_one_before_the_brain_cuts_it(seed: int) -> None:
    shape = draw_shape(np.random.default_rng(seed), OPTIONS)
    spacing = np.full(3, 2.0)
    everywhere = np.ones((110, 110, 110), np.bool_)
    _, mask = draw_mask(shape, np.full(3, 110.0), everywhere, spacing)
    assert mask.sum() * 8 / 1000 == pytest.approx(shape.volume_ml, rel=0.15)


def test_shape_is_a_star_about_its_heart_and_lies_about_its_centre() -> None:
    everywhere, spacing = np.ones((90, 90, 90), np.bool_), np.full(3, 1.5)
    centre = np.full(3, 67.5)
    for seed in range(6):
        shape = draw_shape(np.random.default_rng(seed), SimulatorOptions(volume_ml=(60, 60)))
        window, mask = draw_mask(shape, centre, everywhere, spacing)
        whole = np.zeros_like(everywhere)
        whole[window] = mask
        directions = sphere(200)
        heart = centre - shape.body @ shape.heart
        edge = edge_of(shape, directions)
        reach = np.arange(0.05, 1.6, 0.05)
        points = heart + (reach[:, None, None] * directions) @ shape.body.T
        found = ndimage.map_coordinates(whole.astype(float), (points / spacing - 0.5).T, order=0).T
        clear = np.abs(reach[:, None] - edge) > 0.12
        assert (found[clear] == (reach[:, None] < edge)[clear]).all()
        surface = (edge[:, None] * directions) @ shape.body.T + heart
        assert np.abs(surface.mean(axis=0) - centre).max() < 1.0


def test_noise_does_not_repeat_when_shifted() -> None:
    shape = draw_shape(np.random.default_rng(3), OPTIONS)
    directions = sphere(1000)
    here = edge_of(shape, directions)
    for shift in (128.0, 256.0, 512.0, -384.0):
        for axes in ((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
            there = edge_of(replace(shape, offset=shape.offset + shift * np.array(axes)), directions)
            assert abs(np.corrcoef(here, there)[0, 1]) < 0.5


def test_noise_is_continuous_and_within_its_bound() -> None:
    from unseg_bench.blocks.simulated_tumours.kernels import simplex

    rng = np.random.default_rng(0)
    starts, turns = rng.uniform(-50, 50, (3000, 3)), rng.normal(size=(3000, 3)) * 1e-3
    slopes = [abs(simplex(*a) - simplex(*(a + b))) / np.abs(b).sum() for a, b in zip(starts, turns, strict=True)]
    assert 2 < max(slopes) < 6
    assert max(abs(simplex(*a)) for a in rng.uniform(0, 1000, (50_000, 3))) < 1


def test_blend_is_exact_and_its_scalars_are_within_range(many: list[Simulated]) -> None:
    for found in many:
        again = found.mask * found.tumour + (1 - found.mask) * found.normal
        assert np.abs(again - found.mixed).max() < 1e-6
        assert not found.tumour[~found.mask].any()
        texture = (found.mixed - (1 - found.sigma) * found.normal)[found.mask] / found.sigma
        _, brain = head(4.0)
        assert texture.mean() / found.normal[brain].mean() == pytest.approx(found.brightness, rel=1e-3)
    sigmas, brightness = np.array([(found.sigma, found.brightness) for found in many]).T
    assert 0.2 <= sigmas.min() < 0.23 < 0.77 < sigmas.max() <= 0.8
    assert 1 <= brightness.min() < 1.1 < 2.9 < brightness.max() <= 3


def test_mask_lies_in_the_brain_and_is_never_empty(many: list[Simulated]) -> None:
    _, brain = head(4.0)
    assert all(found.mask.any() and not found.mask[~brain].any() for found in many)
    coarse = [tumour(seed, 16.0, SimulatorOptions(volume_ml=(0.1, 0.1))) for seed in range(20)]
    assert {int(found.mask.sum()) for found in coarse} == {1}


def test_centres_lie_where_published() -> None:
    _, brain = head(4.0)
    box, spacing = brain_box(brain), np.full(3, 4.0)
    rng = np.random.default_rng(0)
    centres = np.array([draw_centre(rng, OPTIONS, box, brain, spacing) for _ in range(1000)])
    side, front, height = (centres / spacing - box.low).T / box.size[:, None]
    away = np.abs(side - 0.5)
    for drawn, low, high in ((away, 0.06, 0.26), (front, 0.2, 0.7), (height, 0.3, 0.8)):
        assert low <= drawn.min() < low + 0.02
        assert high - 0.02 < drawn.max() <= high
    assert 0.4 < (side < 0.5).mean() < 0.6


def test_allowed_voxels_hold_the_centre() -> None:
    _, brain = head(4.0)
    allowed = np.zeros_like(brain)
    allowed[:, :, 14:17] = True
    box, spacing, rng = brain_box(brain), np.full(3, 4.0), np.random.default_rng(0)
    for _ in range(100):
        x, y, z = np.floor(draw_centre(rng, OPTIONS, box, brain & allowed, spacing) / spacing).astype(int)
        assert (brain & allowed)[x, y, z]
    top = np.zeros_like(brain)
    top[:, :, -3:] = True
    seat = draw_centre(rng, OPTIONS, box, brain & top, spacing)
    assert (brain & top)[tuple(np.floor(seat / spacing).astype(int))]
    found = tumour(2, allowed=top, options=SimulatorOptions(volume_ml=(7, 7)))
    assert found.mask[:, :, -4:].any()


def test_same_generator_same_bits() -> None:
    one, two, other = tumour(5), tumour(5), tumour(6)
    assert one.mixed.tobytes() == two.mixed.tobytes()
    assert one.mask.tobytes() == two.mask.tobytes()
    assert one.mask.tobytes() != other.mask.tobytes()


@pytest.mark.parametrize("seed", range(4))
def test_the_grid_changes_nothing_but_the_detail(seed: int) -> None:
    fine, coarse = tumour(seed, 2.0), tumour(seed, 4.0)
    assert (fine.sigma, fine.brightness) == (coarse.sigma, coarse.brightness)
    share = fine.mask.reshape(36, 2, 44, 2, 34, 2).mean(axis=(1, 3, 5))
    cube = np.ones((3, 3, 3), np.bool_)
    assert not (ndimage.binary_erosion(coarse.mask, cube) & (share < 1)).any()
    assert not (~ndimage.binary_dilation(coarse.mask, cube) & (share > 0)).any()
    both = ndimage.binary_erosion(coarse.mask, cube)
    mean = fine.mixed.reshape(36, 2, 44, 2, 34, 2).mean(axis=(1, 3, 5))
    assert np.corrcoef(mean[both], coarse.mixed[both])[0, 1] > 0.95


def test_plain_texture_is_the_donor_itself() -> None:
    options = SimulatorOptions(elastic_mm=0, blur_mm=(0, 0), brightness=None, opacity=(1, 1))
    found = tumour(0, options=options)
    donor, donor_brain = head(4.0, seed=1)
    inside = found.mask & ndimage.binary_erosion(donor_brain)
    assert np.abs(found.mixed - donor)[inside].max() < 1e-4


def test_elastic_shifts_stay_within_their_bound_and_spare_the_border() -> None:
    from unseg_bench.blocks.simulated_tumours.texture import _shifts_mm, draw_texture

    _, brain = head(4.0)
    box = brain_box(brain)
    texture = draw_texture(np.random.default_rng(0), OPTIONS)
    assert np.count_nonzero(texture.control_mm) == 3 * 27
    shifts = _shifts_mm(texture.control_mm, np.array([-3, -3, -3]), np.array(brain.shape) + 6, box)
    assert 1 < np.abs(shifts).max() <= 7.5
    assert np.abs(shifts[:, 3]).max() <= 7.5 / 6
    assert not _shifts_mm(texture.control_mm, np.array([-10, 0, 0]), np.array([1, 40, 30]), box).any()


def test_spline_agrees_with_scipy() -> None:
    from scipy.interpolate import BSpline

    from unseg_bench.blocks.simulated_tumours.texture import _spline_weights

    fractions = np.linspace(0, 1, 41)
    knots = np.arange(-4, 8) / 4 + 0.25
    expected = BSpline.design_matrix(np.clip(fractions, 0, 1 - 1e-12), knots[:11], 3).toarray()
    np.testing.assert_allclose(_spline_weights(fractions), expected, atol=1e-6)


def test_where_the_donor_has_no_brain() -> None:
    normal, brain = head(4.0)
    donor, donor_brain = head(4.0, seed=1)
    cut = donor_brain.copy()
    cut[2:-2, 2:-2, 2:-2] = False
    spacing = (4.0, 4.0, 4.0)
    small = {"volume_ml": (7, 7), "opacity": (1, 1), "elastic_mm": 0, "blur_mm": (0, 0)}
    hole = simulate(
        np.random.default_rng(0), normal, brain, donor, cut, spacing, SimulatorOptions(outside="zero", **small)
    )
    assert hole.brightness == 0
    assert not hole.mixed[hole.mask].any()
    found = simulate(np.random.default_rng(0), normal, brain, donor, cut, spacing, SimulatorOptions(**small))
    assert np.ptp(found.mixed[found.mask]) < 1e-4


def test_positive_intensities_lead_back() -> None:
    image, brain = head(4.0)
    z = np.where(brain, (image - image[brain].mean()) / image[brain].std(), 0).astype(np.float32)
    raw, shift = to_positive(z, brain)
    assert raw.dtype == np.float32
    assert (raw[brain] < 0).mean() == pytest.approx(0.005, abs=2e-4)
    assert not raw[~brain].any()
    assert np.abs(from_positive(raw, brain, shift) - z).max() < 1e-6


def test_bad_input_is_said() -> None:
    normal, brain = head(8.0)
    nothing = np.zeros_like(brain)
    rng, spacing = np.random.default_rng(0), (8.0, 8.0, 8.0)
    with pytest.raises(DataError, match="brain is empty"):
        simulate(rng, normal, nothing, normal, brain, spacing, OPTIONS)
    with pytest.raises(DataError, match="brain is empty"):
        to_positive(normal, nothing)
    with pytest.raises(DataError, match="positive intensities"):
        simulate(rng, normal, brain, -normal, brain, spacing, OPTIONS)
    with pytest.raises(DataError, match="allowed"):
        simulate(rng, normal, brain, normal, brain, spacing, OPTIONS, allowed=nothing)
    with pytest.raises(DataError, match="differ"):
        simulate(rng, normal, brain, normal, brain[1:], spacing, OPTIONS)
    for wrong in ({"volume_ml": (9, 7)}, {"octaves": (0, 3)}, {"height": (0.2, 1.2)}, {"axis_ratio": (0, 1)}):
        with pytest.raises(ValidationError):
            SimulatorOptions.model_validate(wrong)
