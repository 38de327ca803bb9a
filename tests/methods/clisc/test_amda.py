import numpy as np
import pytest
from unseg_bench_methods.clisc.amda import Amda, quantile_mask, random_rectangle, range_mask
from unseg_bench_methods.clisc.options import AmdaOptions
from unseg_bench_methods.clisc.slice_set import gather_slices

from unseg_bench.plugins.trial import tiny_cohort


def test_quantile_hides_the_highest_share() -> None:
    cam = np.random.default_rng(0).random((30, 40)).astype(np.float32)
    within = np.zeros((30, 40), dtype=bool)
    within[5:25, 10:30] = True
    mask = quantile_mask(cam, within, 20.0)
    assert mask.sum() == pytest.approx(0.2 * within.sum(), abs=1)
    assert cam[mask].min() > cam[within & ~mask].max()
    assert not quantile_mask(cam, within, 0.0).any()
    assert not quantile_mask(np.zeros_like(cam), within, 20.0).any()


def test_range_hides_the_top_of_the_values_in_the_box() -> None:
    cam = np.zeros((20, 30), dtype=np.float32)
    cam[5:10, 8:20] = np.linspace(0, 1, 12)
    cam[15, 25] = 1.0
    mask = range_mask(cam, (np.arange(30) < 21) & (cam > 0), np.zeros((20, 30), np.uint8), 20.0)
    assert np.flatnonzero(mask.any(axis=0)).tolist() == [18, 19]
    assert mask.sum() == 5 * 2
    assert not mask[15, 25]
    picture = np.tile(np.arange(30, dtype=np.uint8), (20, 1))
    assert np.flatnonzero(range_mask(cam, np.zeros((20, 30), bool), picture, 20.0).all(axis=0)).tolist() == [
        *range(24, 30)
    ]


def test_rectangles_have_the_share_of_the_box_and_stay_in_it() -> None:
    brain = np.zeros((60, 80), dtype=bool)
    brain[10:50, 5:75] = True
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = random_rectangle(brain, 20.0, rng)
        assert not (mask & ~brain).any()
        assert mask.sum() == pytest.approx(0.2 * brain.sum(), rel=0.06)


def test_by_brightness_every_slice_loses_its_brightest_pixels_whatever_its_label_and_cam(fresh) -> None:
    volume = fresh.cases[0].volume
    nothing = fresh.given({})
    pictures = np.random.default_rng(0).integers(10, 251, (3, 37, 31)).astype(np.uint8)
    pictures[0] //= 2
    amda = Amda(AmdaOptions(rule="brightness"), nothing, nothing, seed=0)
    masked = amda(volume, np.arange(3), np.array([True, False, False]), pictures)
    for before, after in zip(pictures, masked, strict=True):
        edge = before.min() + 0.8 * (float(before.max()) - float(before.min()))
        assert np.array_equal(after, np.where(before > edge, 0, before))
        assert 0.1 < (after == 0).mean() < 0.3


def test_by_brightness_the_resized_pictures_are_masked_as_the_authors_png_files_are(fresh, tmp_path) -> None:
    nothing, cohort = fresh.given({}), tiny_cohort("train", fresh.cases)
    amda = Amda(AmdaOptions(rule="brightness"), nothing, nothing, seed=0)

    def labels(case_id: str) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(8, 20), np.arange(12) < 6

    plain = gather_slices(tmp_path / "plain.npy", cohort, labels, 24, "slice").pictures
    masked = gather_slices(
        tmp_path / "masked.npy", cohort, labels, 24, "slice", amda, resize_first=amda.of_resized
    ).pictures
    assert plain.shape == masked.shape == (12 * len(fresh.cases), 24, 24)
    for before, after in zip(plain, masked, strict=True):
        edge = before.min() + 0.8 * (float(before.max()) - float(before.min()))
        assert np.array_equal(after, np.where(before > edge, 0, before))
    assert not Amda(AmdaOptions(), nothing, nothing, seed=0).of_resized


@pytest.mark.parametrize("normal_masks", ["rectangles", "cam-shaped"])
def test_amda_blackens_the_cam_and_random_places(fresh, normal_masks: str) -> None:
    case = fresh.cases[0]
    volume, name = case.volume, case.volume.case_id
    slices = np.arange(6, 22)
    tumour = case.reference.any(axis=(0, 1))[slices]
    assert 0 < tumour.sum() < len(slices)
    cam = fresh.given({name: case.reference.astype(np.float16)})
    region = fresh.given({name: case.reference})
    amda = Amda(AmdaOptions(within="region", alpha=50.0, normal_masks=normal_masks), cam, region, seed=0)
    pictures = np.full((len(slices), 37, 31), 100, dtype=np.uint8)
    masked = amda(volume, slices, tumour, pictures)
    holes = masked == 0
    assert holes.any(axis=(1, 2)).all()
    assert set(np.unique(masked)) == {0, 100}
    reference = case.reference.transpose(2, 1, 0)[slices]
    assert np.array_equal(holes[tumour], reference[tumour])
    assert not holes[~volume.brain.transpose(2, 1, 0)[slices]].any()
    if normal_masks == "cam-shaped":
        shapes = {hole.tobytes() for hole in reference[tumour]}
        inside = volume.brain.transpose(2, 1, 0)[slices][~tumour]
        assert any((np.frombuffer(s, bool).reshape(37, 31) & inside[0] == holes[~tumour][0]).all() for s in shapes)
