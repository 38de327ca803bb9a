import json
from dataclasses import replace
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from unseg_bench.data.nifti import NiftiImage, read_image, read_labels, write_mask
from unseg_bench.data.prepare import Placement, find_brain, prepare
from unseg_bench.errors import DataError


def as_image(data, affine=None, path="case.nii.gz"):
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) if affine is None else affine
    spacing = tuple(float(v) for v in np.linalg.norm(affine[:3, :3], axis=0))
    header = nib.Nifti1Image(data, affine).header
    return NiftiImage(path, data.shape, affine, spacing, header, data=data.astype(np.float32))


def head(shape, background=0.0, seed=0):
    """An ellipsoid of noise (its box leaves a margin of one voxel or more) on a constant background."""
    rng = np.random.default_rng(seed)
    axes = [np.linspace(-1, 1, n) for n in shape]
    inside = sum((a / 0.75) ** 2 for a in np.meshgrid(*axes, indexing="ij")) < 1
    data = np.full(shape, background, np.float32)
    data[inside] = background + 5 + rng.random(inside.sum())
    return data, inside


@st.composite
def affines(draw):
    """Any orientation of a NIfTI file: permuted and flipped axes, anisotropic voxels, tilted by a few degrees."""
    order = draw(st.sampled_from(list(permutations(range(3)))))
    signs = draw(st.sampled_from(list(product((-1, 1), repeat=3))))
    spacing = [draw(st.floats(0.3, 6)) for _ in range(3)]
    linear = np.zeros((3, 3))
    for axis in range(3):
        linear[order[axis], axis] = signs[axis] * spacing[axis]
    tilt = np.radians(draw(st.floats(-20, 20)))
    turn = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ linear
    affine[:3, 3] = [draw(st.floats(-200, 200)) for _ in range(3)]
    return affine


shapes = st.tuples(*[st.integers(5, 14)] * 3)


@given(shapes, affines())
@settings(max_examples=60, deadline=None)
def test_the_orientation_is_that_of_nibabel_and_every_voxel_stays_where_it_is_in_the_world(shape, affine):
    data, inside = head(shape)
    _, brain, placement = prepare(as_image(data, affine))
    peer = nib.Nifti1Image(data, affine)
    lps = peer.as_reoriented(ornt_transform(io_orientation(affine), axcodes2ornt("LPS")))
    assert np.array_equal(placement.reorient(data), lps.get_fdata(dtype=np.float32))
    turned_back = nib.as_closest_canonical(peer).get_fdata(dtype=np.float32)[::-1, ::-1]
    assert np.array_equal(placement.reorient(data), turned_back)
    voxel = np.argwhere(brain)[-1]
    place = lps.affine @ [*(voxel + placement.start), 1]
    at = np.rint(np.linalg.inv(affine) @ place)[:3].astype(int)
    assert inside[tuple(at)]
    assert placement.take(data)[tuple(voxel)] == data[tuple(at)]


@given(shapes, affines(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_mask_comes_back_exactly(shape, affine, seed):
    data, inside = head(shape)
    _, brain, placement = prepare(as_image(data, affine))
    assert np.array_equal(placement.restore(brain), inside)
    whole = (np.random.default_rng(seed).random(shape) > 0.5) & inside
    assert np.array_equal(placement.restore(placement.take(whole)), whole)
    part = np.random.default_rng(seed).random(placement.shape) > 0.5
    assert np.array_equal(placement.take(placement.restore(part)), part)
    assert placement.restore(part).sum() == part.sum()


@given(shapes, affines())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_written_masks_reload_on_the_file_s_own_grid(tmp_path, shape, affine):
    data, inside = head(shape)
    source = nib.Nifti1Image(data, affine)
    nib.save(source, tmp_path / "image.nii.gz")
    image = read_image(tmp_path / "image.nii.gz")
    _, brain, placement = prepare(image)
    write_mask(tmp_path / "mask.nii.gz", placement.restore(brain), image)
    written, labels = nib.load(tmp_path / "mask.nii.gz"), read_labels(tmp_path / "mask.nii.gz")
    assert np.array_equal(np.asanyarray(written.dataobj), inside)
    assert np.allclose(written.affine, affine, atol=1e-3)
    assert np.array_equal(written.affine, nib.load(tmp_path / "image.nii.gz").affine)
    assert np.allclose(labels.spacing_mm, np.linalg.norm(affine[:3, :3], axis=0), atol=1e-4)


def test_brats_arrays_are_not_flipped():
    affine = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
    data, _ = head((10, 11, 12))
    placement = prepare(as_image(data, affine))[2]
    assert placement.axes == (0, 1, 2)
    assert placement.flipped == (False, False, False)


def test_the_image_is_standardised_inside_the_brain_and_zero_outside():
    data, inside = head((12, 13, 14), background=-3.5)
    image, brain, placement = prepare(as_image(data))
    assert image.dtype == np.float32
    assert image[brain].mean() == pytest.approx(0, abs=1e-5)
    assert image[brain].std() == pytest.approx(1, abs=1e-5)
    assert not image[~brain].any()
    values = data[inside].astype(float)
    assert np.allclose(image[brain], (placement.take(data)[brain] - values.mean()) / values.std(), atol=1e-4)


def test_the_box_includes_the_brain_s_last_plane():
    data = np.zeros((9, 9, 9), np.float32)
    data[2:5, 3:7, 1:8] = np.random.default_rng(0).random((3, 4, 7)) + 1
    _, brain, placement = prepare(as_image(data))
    assert placement.start == (2, 3, 1)
    assert placement.stop == (5, 7, 8)
    assert brain.all()


def test_a_brain_that_fills_the_file_up_to_its_border_is_not_lost():
    data = np.zeros((12, 12, 6), np.float32)
    data[2:10, 2:10, :] = np.random.default_rng(0).random((8, 8, 6)) + 1
    assert prepare(as_image(data))[1].shape == (8, 8, 6)


@pytest.mark.parametrize("background", [0.0, -3.5, 7.0])
def test_the_background_is_found_whatever_its_value(background):
    data, inside = head((14, 13, 12), background)
    assert np.array_equal(prepare(as_image(data))[2].restore(prepare(as_image(data))[1]), inside)


def test_specks_are_dropped_and_holes_filled():
    data, inside = head((15, 15, 15))
    data[7, 7, 7] = 0
    data[0, 0, 0] = 9
    _, brain, placement = prepare(as_image(data))
    assert np.array_equal(placement.restore(brain), inside)


def test_find_brain_agrees_with_scipy_s_fill_holes():
    from scipy.ndimage import binary_fill_holes, label

    for seed in range(5):
        foreground = np.random.default_rng(seed).random((13, 12, 11)) > 0.72
        labels, _ = label(foreground, np.ones((3, 3, 3)))
        expected = binary_fill_holes(labels == np.bincount(labels[labels > 0]).argmax())
        brain, start = find_brain(foreground)
        whole = np.zeros_like(foreground)
        whole[tuple(slice(a, a + n) for a, n in zip(start, brain.shape, strict=True))] = brain
        assert np.array_equal(whole, expected)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((6, 6, 6), np.float32), "no brain"),
        (np.full((6, 6, 6), 4.0, np.float32), "no brain"),
        (np.pad(np.ones((4, 4, 4), np.float32), 2), "mask instead"),
    ],
)
def test_constant_volumes_are_refused_by_name(data, message):
    with pytest.raises(DataError, match=f"case.nii.gz.*{message}"):
        prepare(as_image(data))


def test_a_head_with_its_skull_is_refused():
    noise = np.random.default_rng(0).random((30, 30, 30)).astype(np.float32)
    with pytest.raises(DataError, match="strip the skull"):
        prepare(as_image(noise, np.diag([-8.0, -8.0, 8.0, 1.0])))


def noise(kind, level, shape):
    rng = np.random.default_rng(1)
    values = rng.normal(0, level, shape)
    if kind == "rician":
        values = np.hypot(values, rng.normal(0, level, shape))
    return np.clip(values, 0, None) if kind == "clipped" else values


@pytest.mark.parametrize("level", [0.01, 0.3])
@pytest.mark.parametrize("kind", ["gaussian", "rician", "clipped"])
@pytest.mark.parametrize("padding", [0, 5])
def test_noise_around_the_brain_is_refused_whatever_its_kind_and_however_small_the_field(kind, level, padding):
    clean, inside = head((36, 40, 34))
    prepare(as_image(clean))
    noisy = np.where(inside, clean, noise(kind, level, clean.shape)).astype(np.float32)
    with pytest.raises(DataError, match=r"case\.nii\.gz: the background is not one value.*brain mask first"):
        prepare(as_image(np.pad(noisy, padding)))


def test_real_brains_cut_anywhere_are_no_noise(shared_dir):
    image = read_image(next((shared_dir / "data" / "brats2018_bioexp").glob("*/*flair.nii*")))
    brain = prepare(image)[2].restore(prepare(image)[1])
    middle = np.argwhere(brain).mean(axis=0).astype(int)
    for half in (40, 60, 72):
        cut = tuple(slice(max(0, at - half), at + half) for at in middle)
        found = prepare(replace(image, data=image.data[cut], shape=image.data[cut].shape))
        assert np.array_equal(found[2].restore(found[1]) & brain[cut], found[2].restore(found[1]))


def test_placement_survives_json_and_refuses_other_shapes():
    placement = prepare(as_image(head((7, 8, 9))[0]))[2]
    assert Placement.from_json(json.loads(json.dumps(placement.to_json()))) == placement
    for method in (placement.take, placement.restore):
        with pytest.raises(ValueError, match="is needed"):
            method(np.zeros((3, 3, 3)))


def test_real_brains_are_those_of_the_published_masks(shared_dir):
    for case in sorted((shared_dir / "data" / "brats2013").iterdir())[:3]:
        image = read_image(case / "Flair_subtrMeanDivStd.nii.gz")
        _, brain, placement = prepare(image)
        published = read_labels(case / "brainmask.nii.gz").data > 0
        whole = placement.restore(brain)
        assert not (published & ~whole).any()
        assert (whole & ~published).sum() <= 20, "holes of the published mask are filled"
