"""Numbers, p values and counts of cases as the sentences of a comparison say them."""

from collections.abc import Iterable

from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.statistics.record import Interval
from unseg_bench.words import count_text

_SAME = 10
"""Numbers that agree to so many decimals are the same number: rounding alone sets them apart."""


def say_p(p: float) -> str:
    """A p value after its name: '= .21', '= .004', '< .001', '> .99'; never 0 or 1."""
    if p < 0.001:
        return "< .001"
    if p > 0.99:
        return "> .99"
    return "= " + f"{p:.{2 if p >= 0.0995 else 3}f}".removeprefix("0")


def say_number(value: float) -> str:
    """One decimal, or one significant figure where that would hide what is not 0."""
    return f"{value + 0.0:.1f}" if abs(value) >= 0.05 or value == 0.0 else f"{value:.1g}"


def say_share(share: float) -> str:
    """A share in whole percent; neither 0 nor 100 unless it is."""
    if 0.0 < share < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1.0 else f"{100 * share:.0f} %"


def say_two_means(one: float, other: float) -> tuple[str, str]:
    """Two mean DSC in percent, with as many decimals as tell them apart."""
    digits = digits_apart((100.0 * one, 100.0 * other), 1)
    return f"{100 * one:.{digits}f} %", f"{100 * other:.{digits}f} %"


def say_interval(interval: Interval, scale: float, kind: str) -> str:
    """The interval of scale * x in brackets after its number, or why there is none; kind: 'BCa ', 't ', ''."""
    own = scaled(interval, scale)
    if own.low is None or own.high is None:
        return f" [no interval: {interval.reason}]"
    return f" [{say_number(own.low)}, {say_number(own.high)}] ({kind}95 %)"


def scaled(interval: Interval, scale: float) -> Interval:
    """The interval of scale * x from that of x."""
    if interval.low is None or interval.high is None:
        return interval
    low, high = sorted((scale * interval.low, scale * interval.high))
    return Interval(low, high)


def cases_rule(comparison: Comparison, column: str, n: int, *labels: str) -> str:
    """By what rule a sentence about `labels` in a column has its n cases; '' where these are all, none missing."""
    found = next(one for one in comparison.columns if one.key == column)
    units = comparison.statistics.units.get(column, found.n) if comparison.statistics is not None else found.n
    if units < found.n:
        return f"{n} patients with {count_text(found.n, 'case')}"
    known = comparison.planned if found.group is None else found.n
    if n < found.n:
        return f"the {n} of {known} cases that {'both' if len(labels) == 2 else 'all'} have a value for"
    if found.group is None and found.n < known:
        return f"the {n} of {known} cases that all have"
    lacking = sum(row.cells[column].missing for row in comparison.rows if row.label in labels)
    return f"{count_text(n, 'case')}, missing ones ({lacking}) taken as the worst" if lacking else ""


def over_cases(comparison: Comparison, column: str, n: int, *labels: str) -> str:
    """'over 75 cases', or by which rule these: 'over the 15 of 20 cases that all have'."""
    return f"over {cases_rule(comparison, column, n, *labels) or count_text(n, 'case')}"


def digits_apart(values: Iterable[float | None], least: int) -> int:
    """The fewest decimals, `least` or more, with which values that are not the same print differently; None is none.

    Beyond 10 decimals all are the same. A difference that must not print as 0 is set against it: (0.0, difference).
    """
    distinct = {round(value, _SAME) + 0.0 for value in values if value is not None}
    digits = least
    while digits < _SAME and len({round(value, digits) + 0.0 for value in distinct}) < len(distinct):
        digits += 1
    return digits
