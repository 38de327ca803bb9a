"""The mirror plane: found in heads that were made symmetrical about one, reflection exact where it can be."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unseg_bench.blocks.asymmetry import asymmetric_piece, compare_sides, near
from unseg_bench.blocks.mirror_plane import MirrorPlane, find_mirror_plane, reflect, reflect_inside

SHAPE = (44, 56, 48)


def plane_of(tilt_y, tilt_z, shift):
    normal = np.array([1.0, tilt_y, tilt_z])
    normal /= np.linalg.norm(normal)
    middle = (np.array(SHAPE) - 1) / 2 + [shift, 0, 0]
    return MirrorPlane(normal, float(normal @ middle))


def head(plane, seed=0):
    """An ellipsoid about the plane with a texture that is the same on both sides; deviation 1."""
    points = np.indices(SHAPE, dtype=float)
    middle = (np.array(SHAPE) - 1) / 2
    offsets = points - middle[:, None, None, None]
    along = np.tensordot(plane.normal, points, axes=1) - plane.offset
    across = offsets - along * plane.normal[:, None, None, None]
    brain = (along / 17) ** 2 + (across[1] / 24) ** 2 + (across[2] / 20) ** 2 < 1
    texture = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2.5)
    even = texture + reflect(texture.astype(np.float32), plane)
    image = np.where(brain, (even - even[brain].mean()) / even[brain].std(), 0).astype(np.float32)
    return image, brain


def far_apart(one, other):
    """Angle in degrees, and distance in voxels in the middle of the volume."""
    angle = np.degrees(np.arccos(min(1.0, abs(float(one.normal @ other.normal)))))
    middle = (np.array(SHAPE) - 1) / 2
    return angle, abs((one.normal @ middle - one.offset) - (other.normal @ middle - other.offset))


@pytest.mark.parametrize("tilts", [(0.0, 0.0, 0.0), (0.1, -0.05, 1.7), (-0.08, 0.06, -2.3)])
def test_the_plane_of_a_symmetrical_head_is_found(tilts):
    plane = plane_of(*tilts)
    image, brain = head(plane)
    angle, distance = far_apart(find_mirror_plane(image, brain, np.zeros_like(brain)), plane)
    assert angle < 1.5
    assert distance < 0.5


def test_a_large_tumour_that_is_left_out_does_not_move_the_plane():
    plane = plane_of(0.05, 0.03, 1.0)
    image, brain = head(plane)
    tumour = np.zeros_like(brain)
    tumour[26:42, 10:40, 12:36] = True
    image[tumour & brain] += 4
    angle, distance = far_apart(find_mirror_plane(image, brain, tumour), plane)
    assert angle < 1.5
    assert distance < 0.5


def test_with_everything_left_out_the_plane_halves_the_brains_box():
    brain = np.zeros(SHAPE, bool)
    brain[10:31, 5:50, 5:40] = True
    plane = find_mirror_plane(brain.astype(np.float32), brain, np.ones_like(brain))
    np.testing.assert_allclose(plane.reflected(np.array([10.0, 20.0, 20.0])), [30, 20, 20], atol=1e-6)


def test_reflection_by_hand_and_twice():
    plane = MirrorPlane(np.array([1.0, 0.0, 0.0]), 3.0)
    np.testing.assert_array_equal(plane.reflected(np.array([1.0, 5.0, 7.0])), [5, 5, 7])
    image = np.arange(7 * 3 * 2, dtype=np.float32).reshape(7, 3, 2)
    np.testing.assert_array_equal(reflect(image, plane), image[::-1])
    tilted = plane_of(0.2, -0.1, 1.0)
    points = np.random.default_rng(0).normal(size=(3, 5))
    np.testing.assert_allclose(tilted.reflected(tilted.reflected(points)), points)


def test_what_lies_outside_of_the_volume_has_the_given_value():
    image = np.ones((6, 2, 2), np.float32)
    np.testing.assert_array_equal(
        reflect(image, MirrorPlane(np.array([1.0, 0.0, 0.0]), 3.5), -4)[:, 0, 0], [-4, -4, 1, 1, 1, 1]
    )


def test_the_same_plane_on_a_finer_grid():
    plane = plane_of(0.1, 0.05, 1.0)
    fine = plane.scaled(0.5)
    point = np.array([12.0, 20.0, 9.0])
    # The centre of voxel p lies at (p + 1/2) * size, on either grid.
    np.testing.assert_allclose((fine.reflected((point + 0.5) * 2 - 0.5) + 0.5) / 2 - 0.5, plane.reflected(point))


def test_the_other_sides_rim_is_not_darkened_by_the_empty_outside():
    plane = plane_of(0.07, 0.02, 0.4)
    _, brain = head(plane)
    other, there = reflect_inside(np.where(brain, 5, 0).astype(np.float32), brain, plane)
    np.testing.assert_allclose(other[there], 5, rtol=1e-5)
    assert not other[~there].any()
    assert (there & brain).sum() > 0.9 * brain.sum()


def blob(centre, radius):
    return sum((axis - c) ** 2 for axis, c in zip(np.indices(SHAPE), centre, strict=True)) < radius**2


def test_bright_tissue_on_both_sides_is_not_the_place_though_it_is_larger():
    plane = plane_of(0, 0, 0)
    image, brain = head(plane)
    both = blob((13, 20, 24), 6) | blob((30, 20, 24), 6)
    tumour = blob((30, 40, 24), 4)
    image[both | tumour] += 4
    probability = np.where(both | tumour, np.float32(0.9), np.float32(0))
    sides = compare_sides(image, brain, both | tumour, 2.5)
    np.testing.assert_array_equal(asymmetric_piece(probability, sides, 0.4, 2.5), tumour)
    without = np.where(both, np.float32(0.9), np.float32(0))
    calm = compare_sides(np.where(tumour, 0, image).astype(np.float32), brain, both, 2.5)
    found = asymmetric_piece(without, calm, 1.5, 2.5)
    np.testing.assert_array_equal(found, both)


def test_a_mirrored_difference_is_positive_on_the_brighter_side_and_zero_without_an_other_side():
    plane = plane_of(0, 0, 0)
    image, brain = head(plane)
    tumour = blob((30, 30, 24), 5)
    image[tumour] += 4
    brain[:14] = False
    sides = compare_sides(np.where(brain, image, 0).astype(np.float32), brain, tumour, 2.5)
    assert sides.difference[30, 30, 24] > 2
    assert sides.difference[13, 30, 24] == 0
    lonely = brain & ~sides.mirrored
    assert lonely.any()
    assert not sides.difference[lonely].any()


def test_steps_from_face_to_face():
    point = np.zeros((9, 9, 9), bool)
    point[4, 4, 4] = True
    assert near(point, 7.5, 2.5).sum() == 63  # an octahedron of three steps
    assert near(point, 0.1, 2.5).sum() == 7
