"""A cohort in which every case is bad in its own way: one run, and for each case the file and the remedy."""

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.robustness.conftest import Result, Ubench

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
Spoil = Callable[[Path], object]


def save(array: np.ndarray, path: Path, affine: np.ndarray = AFFINE) -> None:
    nib.Nifti1Image(array, affine).to_filename(path)


def values(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj).copy()


def rewrite(how: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    return lambda path: save(how(values(path)), path)


def with_one(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[12, 14, 10] = value
        return array

    return change


def spacing(value: float) -> Spoil:
    def change(path: Path) -> None:
        content = bytearray(gzip.decompress(path.read_bytes()))
        content[80:84] = np.float32(value).tobytes()
        path.write_bytes(gzip.compress(bytes(content)))

    return change


def moved(**places: float) -> Spoil:
    def change(path: Path) -> None:
        affine = AFFINE.copy()
        for place, value in places.items():
            affine[int(place[1]), int(place[2])] = value
        save(values(path), path, affine)

    return change


IMAGES: dict[str, tuple[Spoil, str]] = {
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:1500]), "cut short; copy"),
    "other-gzip": (lambda path: path.write_bytes(gzip.compress(b"PK something else" * 90)), "convert it to .nii"),
    "not-nifti": (lambda path: path.write_bytes(b"hello" * 200), "convert it to .nii"),
    "no-bytes": (lambda path: path.write_bytes(b""), "copy it again"),
    "flat": (lambda path: save(np.ones((9, 9), np.float32), path), "a 3D image (X, Y, Z) is needed"),
    "channels": (lambda path: save(np.ones((9, 9, 9, 2), np.float32), path), "say which is FLAIR"),
    "all-zero": (rewrite(np.zeros_like), "export the image again"),
    "constant": (rewrite(lambda array: np.full_like(array, 7)), "export the image again"),
    "binary": (rewrite(lambda array: (array > 0).astype(np.float32)), "is this a mask instead of a FLAIR image?"),
    "nan": (rewrite(with_one(np.nan)), "replace them"),
    "inf": (rewrite(with_one(np.inf)), "replace them"),
    "spacing-zero": (spacing(0.0), "mend pixdim"),
    "spacing-negative": (spacing(-2.0), "mend pixdim"),
    "metres": (moved(a00=2000.0, a11=2000.0, a22=2000.0), "strip the skull first"),
}
MASKS: dict[str, tuple[Spoil, str]] = {
    "m-truncated": (lambda path: path.write_bytes(path.read_bytes()[:100]), "cut short; copy"),
    "m-smooth": (rewrite(lambda array: array * 0.4), "is this an image, or a mask resampled smoothly?"),
    "m-nan": (rewrite(lambda array: with_one(np.nan)(array.astype(np.float32))), "is this an image"),
    "m-negative": (rewrite(lambda array: -array.astype(np.int16)), "labels are 0 for background and above"),
    "m-shape": (rewrite(lambda array: array[1:]), "Resample the mask"),
    "m-affine": (moved(a03=5.0), "Resample the mask"),
    "m-flipped": (moved(a00=-2.0), "orientations differ. Resample the mask"),
}
SOUND = {"good-1": np.uint8(1), "good-float": np.float32(1), "good-255": np.uint8(255), "good-4": np.int16(4)}
"""Masks of the same tumour under other labels and types."""


@pytest.fixture
def run(ubench: Ubench, cohort_template: Path, tmp_path: Path) -> Result:
    """The outcome of one run over all of them."""
    folder = tmp_path / "cases"
    for case in (*IMAGES, *MASKS, *SOUND):
        (folder / case).mkdir(parents=True)
        for file in ("flair.nii.gz", "seg.nii.gz"):
            (folder / case / file).write_bytes((cohort_template / "case-1" / file).read_bytes())
    for file, bad in {"flair.nii.gz": IMAGES, "seg.nii.gz": MASKS}.items():
        for case, (spoil, _) in bad.items():
            spoil(folder / case / file)
    for case, label in SOUND.items():
        rewrite(lambda array, label=label: array.astype(label.dtype) * label)(folder / case / "seg.nii.gz")
    data = ("--data", folder, "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz", "--split", "all-test")
    return ubench("run", "threshold", *data, "--json")


def test_each_is_named_with_its_remedy_and_the_sound_ones_are_scored(run: Result, tmp_path: Path) -> None:
    assert run.code == 1
    (outcome,) = run.json["runs"]
    failed = outcome["failed_cases"]
    assert set(failed) == {*IMAGES, *MASKS}
    for file, bad in {"flair.nii.gz": IMAGES, "seg.nii.gz": MASKS}.items():
        for case, (_, remedy) in bad.items():
            assert remedy in failed[case], case
            assert str(tmp_path / "cases" / case / file) in failed[case]
            assert failed[case].startswith("DataError: "), case
    rows = Path(outcome["scores"]).read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == set(SOUND)
    assert len({tuple(row.split(",")[1:-3]) for row in rows}) == 1


def test_twins_and_ids_that_are_no_names_are_refused(ubench: Ubench, cohort: Path, error_line) -> None:
    for case, said in {"two words": "cannot be used as a file name", "tumör": "cannot be", "a\nb": "cannot be"}.items():
        (cohort / case).mkdir()
        (cohort / case / "flair.nii.gz").write_bytes((cohort / "case-1" / "flair.nii.gz").read_bytes())
        line = error_line(ubench("run", "threshold", "--data", cohort, "--image", "*/flair.nii.gz"))
        assert said in line
        assert "rename the file" in line
        (cohort / case / "flair.nii.gz").unlink()
    twins = ubench("run", "threshold", "--data", cohort, "--image", "*/*.nii.gz")
    assert "both stand for case case-0; make the pattern narrower" in error_line(twins)
