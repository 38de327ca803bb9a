"""Phantom FLAIR volumes: healthy heads and heads with a tumour, with the tumour's exact outline.

Every volume depends on its cohort's seed and its own index, on nothing else, and needs no download.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unseg_bench.errors import SettingsError

from .fields import Grid, Stream, centred_axis, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .anatomy import Tissue
    from .tumour import Tumour

FOV_MM = (192.0, 224.0, 192.0)
TUMOUR_KINDS = ("plain", "faint", "heterogeneous")
_BLOCK_OF_KINDS = ("plain", "plain", "faint", "heterogeneous")
VOLUME_RANGE_ML = (3.0, 150.0)


@dataclass(frozen=True)
class Phantom:
    """One head and its truth.

    `image` (X, Y, Z) float32 in arbitrary scanner units, exactly 0 outside the brain and above 0 inside;
    `reference` (X, Y, Z) bool, the whole tumour; `affine` 4 x 4 in mm with axes to the left, the back and upwards
    (LPS, as BraTS files); `tumour_ml` the volume of the reference; `kind` 'healthy' or one of `TUMOUR_KINDS`.
    """

    image: NDArray[np.float32]
    reference: NDArray[np.bool_]
    affine: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]
    tumour_ml: float
    kind: str


def tumour_volumes_ml(count: int, seed: int) -> NDArray[np.float64]:
    """Volumes (count,) in ml spread evenly in the logarithm over 3 to 150 ml, in an order drawn from the seed."""
    low, high = np.log(VOLUME_RANGE_ML)
    volumes = np.exp(low + (np.arange(count) + 0.5) / max(count, 1) * (high - low))
    np.random.default_rng(np.random.SeedSequence([seed, 7177])).shuffle(volumes)
    return volumes


def kind_of_case(cohort_seed: int, case_index: int) -> str:
    """The kind of a case's tumour: in each four consecutive cases two are plain, one faint, one heterogeneous."""
    block, place = divmod(case_index, len(_BLOCK_OF_KINDS))
    return _BLOCK_OF_KINDS[int(stream(cohort_seed, block, Stream.KIND).permutation(len(_BLOCK_OF_KINDS))[place])]


def generate_phantom(
    *,
    cohort_seed: int,
    case_index: int,
    tumour_ml: float | None,
    spacing_mm: float = 2.0,
    kind: str | None = None,
) -> Phantom:
    """Make one phantom: (96, 112, 96) voxels at 2 mm, (192, 224, 192) at 1 mm.

    `tumour_ml` None makes a healthy head. `kind` (one of `TUMOUR_KINDS`) is drawn from the case when not given.
    Equal arguments give equal bits. Raises SettingsError for volumes, spacings or kinds that cannot be made.
    """
    _check(tumour_ml, spacing_mm, kind)
    from .threads import one_thread

    with one_thread():
        scene = _build(cohort_seed, case_index, tumour_ml, spacing_mm, kind)
        return _draw(scene, scene.tumour)


def generate_pair(
    *,
    cohort_seed: int,
    case_index: int,
    tumour_ml: float,
    spacing_mm: float = 2.0,
    kind: str | None = None,
) -> tuple[Phantom, Phantom]:
    """Make a phantom with its tumour, the bits of `generate_phantom`, and the same scan without the tumour.

    The second has the first's head, pushed aside by the tumour that is not there, its contrast, distractors, scanner
    and noise; its reference is empty and its kind 'healthy'. Beyond the tumour's blurred edge both are equal. Raises
    SettingsError as `generate_phantom` does.
    """
    _check(tumour_ml, spacing_mm, kind)
    from .threads import one_thread

    with one_thread():
        scene = _build(cohort_seed, case_index, tumour_ml, spacing_mm, kind)
        return _draw(scene, scene.tumour), _draw(scene, None)


def _check(tumour_ml: float | None, spacing_mm: float, kind: str | None) -> None:
    if not 0.8 <= spacing_mm <= 4.0:
        raise SettingsError(f"spacing_mm = {spacing_mm}: phantoms are made with voxels of 0.8 to 4 mm.")
    if tumour_ml is not None and not 0.5 <= tumour_ml <= 200:
        raise SettingsError(f"tumour_ml = {tumour_ml}: give 0.5 to 200 ml, or None for a healthy head.")
    if kind is not None and (kind not in TUMOUR_KINDS or tumour_ml is None):
        raise SettingsError(f"kind = {kind!r}: give one of {', '.join(TUMOUR_KINDS)} together with tumour_ml, or None.")


def _grids(spacing_mm: float) -> tuple[tuple[int, int, int], Grid, tuple[slice, slice, slice]]:
    """Shape of the whole field of view, the grid of the box that holds the head, and where that box lies."""
    from .anatomy import HEAD_BOX_MM

    shape = tuple(round(length / spacing_mm) for length in FOV_MM)
    inner = tuple(min(n, round(length / spacing_mm)) for n, length in zip(shape, HEAD_BOX_MM, strict=True))
    starts = tuple((n - m) // 2 for n, m in zip(shape, inner, strict=True))
    box = tuple(slice(a, a + m) for a, m in zip(starts, inner, strict=True))
    x, y, z = (centred_axis(n, spacing_mm)[part] for n, part in zip(shape, box, strict=True))
    return (shape[0], shape[1], shape[2]), Grid(x, y, z), (box[0], box[1], box[2])


@dataclass(frozen=True, eq=False)
class _Scene:
    """What lies in front of the scanner, on the grid of the head box, and the streams that decide the rest."""

    rng: Callable[[Stream], np.random.Generator]
    shape: tuple[int, int, int]
    grid: Grid
    box: tuple[slice, slice, slice]
    tissue: Tissue
    tumour: Tumour | None
    kind: str
    spacing_mm: float


def _build(cohort_seed: int, case_index: int, tumour_ml: float | None, spacing_mm: float, kind: str | None) -> _Scene:
    from .anatomy import Head
    from .tumour import choose_seat, grow

    def rng(purpose: Stream) -> np.random.Generator:
        return stream(cohort_seed, case_index, purpose)

    shape, grid, box = _grids(spacing_mm)
    head = Head(rng(Stream.ANATOMY))
    if tumour_ml is None:
        return _Scene(rng, shape, grid, box, head.tissue(grid), None, "healthy", spacing_mm)
    effect = choose_seat(rng(Stream.SEAT), head, tumour_ml)
    tissue = head.tissue(grid, effect)
    tumour = grow(rng(Stream.TUMOUR), grid, tissue, effect, tumour_ml)
    return _Scene(rng, shape, grid, box, tissue, tumour, kind or kind_of_case(cohort_seed, case_index), spacing_mm)


def _draw(scene: _Scene, tumour: Tumour | None) -> Phantom:
    """Scan the scene with this tumour, or without one."""
    reference, image = np.zeros(scene.shape, np.bool_), np.zeros(scene.shape, np.float32)
    if tumour is not None:
        reference[scene.box][tumour.window] = tumour.reference
    image[scene.box] = _render(scene.rng, scene.grid, scene.tissue, tumour, scene.kind)
    return Phantom(
        image=image,
        reference=reference,
        affine=_lps_affine(scene.shape, scene.spacing_mm),
        spacing_mm=(scene.spacing_mm, scene.spacing_mm, scene.spacing_mm),
        tumour_ml=float(reference.sum()) * scene.spacing_mm**3 / 1000,
        kind="healthy" if tumour is None else scene.kind,
    )


def _render(
    rng: Callable[[Stream], np.random.Generator], grid: Grid, tissue: Tissue, tumour: Tumour | None, kind: str
) -> NDArray[np.float32]:
    """The image of the head box: contrast, distractors, tumour, scanner, cleared background."""
    from . import intensity
    from .scanner import draw_scanner, scan

    drawn = rng(Stream.CONTRAST)
    contrast = intensity.draw_contrast(drawn)
    signal = intensity.healthy_signal(drawn, grid, tissue, contrast)
    signal += intensity.distractors(rng(Stream.DISTRACTORS), grid, tissue)
    if tumour is not None:
        look_rng = np.random.default_rng(rng(Stream.TUMOUR).integers(2**63))
        look = intensity.draw_look(look_rng, kind, contrast)
        near = tumour.window
        intensity.paint_tumour(look_rng, grid.part(near), signal[near], tissue.csf[near], tumour, look, contrast.csf)
    intensity.leftovers(drawn, grid, tissue, signal)
    field_rng = rng(Stream.SCANNER)
    scanner = draw_scanner(field_rng)
    image = scan(rng(Stream.NOISE), field_rng, grid, signal, scanner)
    return np.where(tissue.brain, np.maximum(image, np.float32(1e-3 * scanner.units)), np.float32(0))


def _lps_affine(shape: tuple[int, int, int], spacing_mm: float) -> NDArray[np.float64]:
    """Affine whose voxel axes point to the left, the back and upwards, with the origin in the middle of the volume."""
    half = [(n - 1) / 2 * spacing_mm for n in shape]
    affine = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = [half[0], half[1], -half[2]]
    return affine
