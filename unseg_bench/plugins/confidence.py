"""What a method states of its own answers: the checks that every context and every reader of a run makes."""

import math
import re
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import cast

CONFIDENCE = "confidence"
"""The table of confidences, which the harness itself writes."""
MOST_PARTS = 32
"""Names of numbers that the confidences of one run are made of."""
CONFIDENCE_COLUMNS = ("case", "confidence", "look")
"""Of that table, beside a column for each part."""
_PART = re.compile(r"[A-Za-z0-9_-]{1,64}")


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


def _number(value: object) -> float | None:
    """Return a real number of Python's or NumPy's as a finite float, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    return f"{value!r:.60}"
