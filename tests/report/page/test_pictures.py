"""What a page carries of a case, unpacked again without the code that packed it."""

import base64
import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from unseg_bench.data.nifti import read_image, read_labels
from unseg_bench.data.prepare import prepare
from unseg_bench.report.case_images import CasePicture
from unseg_bench.report.page.pictures import encode_case, mosaic, pack_runs, shown_slices, thinning

LIMIT_BYTES = 15_000_000 / 75
"""What a case of 8 methods may take of a page of 75 cases and 15 MB."""


def unpack(block, count, shape):
    """Decode zlib, LEB128 and runs one number at a time."""
    numbers, value, shift = [], 0, 0
    for byte in zlib.decompress(block):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value, shift = 0, 0
    masks, size = [], int(np.prod(shape))
    for _ in range(count):
        flat, inside = [], False
        while len(flat) < size:
            flat += [inside] * numbers.pop(0)
            inside = not inside
        masks.append(np.array(flat).reshape(shape))
    assert numbers == []
    return masks


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_masks_come_back(values):
    masks = [np.array(one).reshape(3, 2, 2) for one in values]
    assert all(map(np.array_equal, unpack(pack_runs(masks), len(masks), (3, 2, 2)), masks))


@pytest.mark.parametrize("length", [1, 127, 128, 16_383, 16_384, 3_000_000])
def test_runs_of_every_length_come_back(length):
    mask = np.zeros((1, 1, length + 2), dtype=bool)
    mask[..., 1:-1] = True
    full = np.ones_like(mask)
    assert all(map(np.array_equal, unpack(pack_runs([mask, full, ~full]), 3, mask.shape), [mask, full, ~full]))


def test_tiles_stand_in_rows():
    tiles = np.arange(1, 6, dtype=np.uint8)[:, None, None] * np.ones((5, 2, 3), np.uint8)
    image = mosaic(tiles, 2)
    assert image.shape == (6, 6)
    assert image[::2, ::3].tolist() == [[1, 2], [3, 4], [5, 0]]


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        ((1, 1, 1), (2, (1, 1))),
        ((2, 2, 2), (1, (1, 1))),
        ((0.5, 0.5, 5), (1, (2, 2))),
        ((0.8, 0.8, 0.7), (3, (1, 1))),
    ],
)
def test_fine_grids_are_thinned(spacing, expected):
    assert thinning(spacing) == expected


def test_the_largest_slice_is_among_the_shown_ones():
    grey = np.zeros((4, 4, 30), np.uint8)
    grey[..., 5:20] = 9
    reference = np.zeros(grey.shape, bool)
    reference[:2, :2, 9:14] = True
    reference[:, :, 11] = True
    stray = np.zeros(grey.shape, bool)
    stray[0, 0, 25] = True
    assert shown_slices(grey, [reference], 2) == [5, 7, 9, 11, 13, 15, 17, 19]
    assert shown_slices(grey, [reference, stray], 2)[-1] == 25


@pytest.fixture(scope="module")
def head():
    """A head of BraTS' size, as grainy as real ones, and eight ragged masks about its tumour."""
    noise = np.random.default_rng(3)
    shape = (150, 190, 145)
    axes = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    brain = sum(axis**2 for axis in axes) < 0.85
    fine = ndimage.gaussian_filter(noise.standard_normal(shape).astype(np.float32), 0.8)
    coarse = ndimage.gaussian_filter(noise.standard_normal(shape).astype(np.float32), 4)
    away = np.sqrt((axes[0] + 0.3) ** 2 + (axes[1] - 0.2) ** 2 + axes[2] ** 2) + 1.5 * coarse
    image = np.where(brain, 0.15 * fine / fine.std() + coarse / coarse.std() + 2 * (away < 0.33), -4)
    masks = {}
    for number in range(8):
        ragged = ndimage.gaussian_filter(noise.standard_normal(shape).astype(np.float32), 1 + number / 3)
        masks[f"m{number}"] = (away + 0.06 * ragged / ragged.std() < 0.26 + 0.02 * number) & brain
    return CasePicture("c", image.astype(np.float32), (1.0, 1.0, 1.0), (away < 0.33) & brain, masks, (0, 0, 7))


def test_a_case_of_the_usual_size_fits_its_share_and_comes_back(head):
    picture = head
    encoded = encode_case(picture)
    assert len(encoded["image"]) + len(encoded["runs"]) < LIMIT_BYTES
    chosen = [z - 7 for z in encoded["slices"]]
    largest = int(picture.reference.sum(axis=(0, 1)).argmax())
    assert chosen[encoded["first"]] == largest
    shape = (len(chosen), encoded["height"], encoded["width"])
    expected = [picture.reference, *picture.predictions.values()]
    for mask, found in zip(expected, unpack(base64.b64decode(encoded["runs"]), 9, shape), strict=True):
        assert np.array_equal(found, mask[:, :, chosen].transpose(2, 1, 0))
    with Image.open(io.BytesIO(base64.b64decode(encoded["image"]))) as file:
        pixels = np.asarray(file.convert("L")).astype(int)
    row, column = divmod(encoded["first"], encoded["columns"])
    height, width = shape[1:]
    tile = pixels[row * height : (row + 1) * height, column * width : (column + 1) * width]
    assert np.abs(tile - picture.grey()[:, :, largest].T).mean() < 8


def test_real_images_are_no_larger_than_the_made_one(head, shared_dir):
    made = len(encode_case(head)["image"])
    for path in sorted(shared_dir.glob("data/brats2013/*/Flair*.nii.gz"))[:2]:
        image, brain, placement = prepare(read_image(path))
        image = np.where(brain, image, image[brain].min())
        reference = placement.take(read_labels(path.parent / "OTMultiClass.nii.gz").data > 0)
        encoded = encode_case(CasePicture("c", image, (1.0, 1.0, 1.0), reference, {}, (0, 0, 0)))
        assert 0.5 * made < len(encoded["image"]) < 1.2 * made


def test_finer_pictures_are_larger(head):
    sizes = [len(encode_case(head, quality)["image"]) for quality in (30, 60, 90)]
    assert sizes == sorted(sizes)


def test_a_case_without_a_tumour_begins_in_the_middle():
    grey = np.zeros((6, 6, 9), np.float32)
    grey[1:5, 1:5, 1:8] = np.random.default_rng(0).random((4, 4, 7)) + 1
    encoded = encode_case(CasePicture("c", grey, (2.0, 2.0, 2.0), np.zeros(grey.shape, bool), {}, (0, 0, 0)))
    assert encoded["slices"][encoded["first"]] == 4
    assert encoded["masks"] == [None]
