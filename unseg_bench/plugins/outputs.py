"""What a method hands over, masks, maps and alternatives: the checks that every context makes."""

from typing import cast

import numpy as np

from unseg_bench.data.paths import check_alternative_name
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import RunError


def checked_map(shape: tuple[int, ...], scores: object) -> Image:
    """Return a map as float32; raises ValueError where it is no array of real numbers of this shape, or not finite."""
    if not isinstance(scores, np.ndarray) or scores.shape != shape or scores.dtype.kind not in "fiub":
        raise ValueError(f"keep_map: a float array of shape {shape} is needed, not {_described(scores)}")
    with np.errstate(over="ignore"):
        values = scores.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("keep_map: the map has values that are not finite (NaN, or too large for float32)")
    return values


def checked_alternative(shape: tuple[int, ...], name: str, mask: object) -> Mask:
    """Return the mask; raises ValueError for a name that cannot be a folder's, no bool array, or another shape."""
    check_alternative_name(name)
    if (found := unlike_mask(mask, shape)) is not None:
        raise ValueError(f"alternative {name!r}: a bool array of shape {shape} is needed, not {found}")
    return cast("Mask", mask)


def unlike_mask(mask: object, shape: tuple[int, ...] | None) -> str | None:
    """Say what a method gave where that is no bool array (of this shape, unless it is None); None: it is one."""
    fits = isinstance(mask, np.ndarray) and mask.dtype == np.bool_ and shape in {None, mask.shape}
    return None if fits else _described(mask)


def wrong_mask(name: str, shape: tuple[int, ...], found: str) -> RunError:
    """Return the error of a `segment` that returned something else than a mask (see `unlike_mask`)."""
    return RunError(f"{name}.segment must return a bool array of shape {shape}, not {found}")


def outside_segment(what: str) -> RunError:
    """Return the error of a `what` that is handed over at another time than while its case is segmented."""
    return RunError(f"{what}: maps, alternatives and confidences are handed over inside `segment`, for its own case")


def _described(value: object) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
