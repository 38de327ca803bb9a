"""How many decimals numbers need so that two different ones never print alike."""

from collections.abc import Iterable

_SAME = 10
"""Numbers that agree to so many decimals are the same number: rounding alone sets them apart."""


def digits_apart(values: Iterable[float | None], least: int) -> int:
    """The fewest decimals, `least` or more, with which values that are not the same print differently; None is none.

    Beyond 10 decimals all are the same. A difference that must not print as 0 is set against it: (0.0, difference).
    """
    distinct = {round(value, _SAME) + 0.0 for value in values if value is not None}
    digits = least
    while digits < _SAME and len({round(value, digits) + 0.0 for value in distinct}) < len(distinct):
        digits += 1
    return digits
