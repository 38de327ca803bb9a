"""Standardised by the tissue outside the tumour: which tissue that is, and the same one by one as in a cohort."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from unseg_bench.blocks.standardise import (
    outside_tumour,
    outside_tumour_cohort,
    outside_tumour_volume,
    whole_crop,
    whole_crop_cohort,
    whole_crop_volume,
)
from unseg_bench.plugins.trial import TinyCase, TrialContext, empty_volume, make_volume, tiny_case, tiny_cohort


def large(seed: int) -> TinyCase:
    """A case whose tumour, an eighth of the head or more, is four deviations above the tissue around it."""
    healthy = tiny_case(f"large-{seed}", seed, tumour=False)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in healthy.volume.shape), indexing="ij")
    brain = healthy.volume.brain
    tumour = brain & ((x - 0.4) ** 2 + y**2 + z**2 < 0.3)
    raw = np.array(healthy.volume.image) + 4.0 * tumour
    image = np.zeros(brain.shape, np.float32)
    image[brain] = (raw[brain] - raw[brain].mean()) / raw[brain].std()
    return TinyCase(make_volume(f"large-{seed}", image, np.array(brain)), tumour)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_large_tumour_no_longer_darkens_the_tissue_around_it(seed: int) -> None:
    case = large(seed)
    outside = case.volume.brain & ~case.reference
    before, after = case.volume.image, outside_tumour(case.volume)
    assert before[outside].mean() < -0.3
    assert before[outside].std() < 0.8
    assert after[outside].mean() == pytest.approx(0, abs=0.1)
    assert after[outside].std() == pytest.approx(1, abs=0.1)
    assert after[case.reference].mean() > 1.5 * before[case.reference].mean()
    assert not after[~case.volume.brain].any()


def test_where_nothing_is_bright_the_brain_is_the_reference() -> None:
    volume = tiny_case("plain", 5, tumour=False).volume
    flat = np.sign(volume.image)
    image = outside_tumour(replace(volume, image=np.where(volume.brain, flat, np.float32(0))))
    assert image[volume.brain].mean() == pytest.approx(0, abs=1e-3)
    assert image[volume.brain].std() == pytest.approx(1, abs=1e-3)


def test_an_empty_brain_and_a_flat_one_become_nothing() -> None:
    assert not outside_tumour(empty_volume()).any()
    brain = np.ones((12, 12, 12), np.bool_)
    flat = make_volume("flat", np.full(brain.shape, 0.5, np.float32), brain)
    assert not outside_tumour(flat).any()


def test_a_cohort_has_the_volumes_of_one_by_one_and_is_computed_once(tmp_path) -> None:
    context = TrialContext(tmp_path, SimpleNamespace(), tiny_cohort("healthy", []), seed=1)  # pyright: ignore
    cases = [large(seed) for seed in (1, 2)]
    cohort = tiny_cohort("train", cases)
    found = outside_tumour_cohort(cohort, context.run)
    outside_tumour_cohort(cohort, context.run)
    assert len(context.finished) == 1
    assert found.digest != cohort.digest
    for case, volume in zip(cases, found, strict=True):
        alone = outside_tumour_volume(case.volume)
        assert np.array_equal(volume.image, alone.image)
        assert np.array_equal(volume.brain, case.volume.brain)
        assert volume.digest == alone.digest != case.volume.digest
        for image in (volume.image, alone.image):
            with pytest.raises(ValueError, match="read-only"):
                image[0, 0, 0] = 1


def test_the_whole_crop_is_what_the_authors_code_makes_of_the_raw_image() -> None:
    case = tiny_case("crop", 3)
    brain = np.array(case.volume.brain)
    raw = np.where(brain, 300 + 80 * case.volume.image, 0.0)
    raw[tuple(np.argwhere(brain)[0])] = 0.0  # a hole at the background's level: what the brain is filled with
    raw[tuple(np.argwhere(brain)[-1])] = 5000.0
    inside = raw[brain]
    prepared = np.where(brain, (raw - inside.mean()) / inside.std(), 0.0).astype(np.float32)

    values = np.sort(raw.ravel())
    clipped = np.minimum(raw, values[int(np.ceil(0.999 * len(values))) - 1])
    expected = (clipped - clipped.mean()) / clipped.std()
    np.testing.assert_allclose(whole_crop(make_volume("crop", prepared, brain)), expected, atol=1e-4)


def test_all_of_the_crop_counts_as_brain_and_a_cohort_has_the_same(tmp_path) -> None:
    context = TrialContext(tmp_path, SimpleNamespace(), tiny_cohort("healthy", []), seed=1)  # pyright: ignore
    cases = [tiny_case(f"case-{seed}", seed) for seed in (1, 2)]
    found = whole_crop_cohort(tiny_cohort("train", cases), context.run)
    for case in cases:
        alone, of_cohort = whole_crop_volume(case.volume), found[case.volume.case_id]
        assert alone.brain.all()
        assert of_cohort.brain.all()
        np.testing.assert_array_equal(alone.image, of_cohort.image)
        assert alone.digest == of_cohort.digest != outside_tumour_volume(case.volume).digest
        assert np.unique(alone.image[~case.volume.brain]) == pytest.approx([alone.image.min()])
        assert not alone.image.flags.writeable
    nothing = whole_crop_volume(empty_volume())
    assert not nothing.brain.any()
    assert not nothing.image.any()
