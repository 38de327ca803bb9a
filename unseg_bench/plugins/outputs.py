"""What a method hands over, masks, maps, alternatives, confidences: the checks that every context makes."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np

from unseg_bench.data.paths import check_alternative_name
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import RunError

MOST_PARTS = 32
"""Names of numbers that the confidences of one run are made of."""
CONFIDENCE_COLUMNS = ("case", "confidence", "look")
"""Of the table of confidences, beside a column for each part."""
_PART = re.compile(r"[A-Za-z0-9_-]{1,64}")


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


def checked_confidence(value: object, parts: object) -> tuple[float, dict[str, float]]:
    """Return a confidence and its parts as plain floats.

    Raises ValueError for a value outside of 0 to 1 or no number, for parts that are no mapping of names to finite
    numbers, and for a name that cannot be a column's.
    """
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise ValueError(f"confidence: a number from 0 to 1 is needed, not {_shown(value)}")
    if not isinstance(parts, Mapping):
        raise ValueError(f"confidence: parts are names with numbers, not {_shown(parts)}")
    checked: dict[str, float] = {}
    for name, part in cast("Mapping[object, object]", parts).items():
        number_of_part = _number(part)
        if not isinstance(name, str) or number_of_part is None:
            raise ValueError(f"confidence: the part {_shown(name)} must be a finite number, not {_shown(part)}")
        checked[name] = number_of_part
    check_part_names(checked)
    return number, checked


def check_part_names(names: Iterable[str]) -> None:
    """Raise ValueError for a part of a confidence that cannot be a column of a table, and for too many of them."""
    distinct = set(names)
    for name in distinct:
        if _PART.fullmatch(name) is None or name in CONFIDENCE_COLUMNS:
            raise ValueError(
                f"confidence: the part {_shown(name)} must be named by 1 to 64 letters, digits, '-' and '_', and not "
                f"{', '.join(CONFIDENCE_COLUMNS)}"
            )
    if len(distinct) > MOST_PARTS:
        raise ValueError(f"confidence: {len(distinct)} names of parts in one run; {MOST_PARTS} at most")


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


def _number(value: object) -> float | None:
    """Return a number of Python's or NumPy's as a finite float, None for anything else."""
    plain: object = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return None
    try:
        number = float(plain)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    return f"{value!r:.60}"


def _described(value: object) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
